// The CPU's threads. Work is cut into tasks by the shape alone, never by the number of threads, and a task writes only its
// own outputs, so results do not depend on who runs what.
#pragma once
#include <cstdint>

namespace gannet::kernels::cpu {

// How many threads parallel_for uses, including the caller: usable_threads() of base/limits.h, or the number in
// GANNET_THREADS, until it is set.
// Not while a parallel_for runs.
void set_threads(int threads);
int threads();

// Calls task(context, i) once for each i in [0, tasks), on the caller and the pool. Returns when all are done. Each thread begins
// with its own run of neighbouring tasks, then helps the others: who computes what is not fixed.
// What a task throws (memory may run out) is thrown again on the caller, after all tasks. Tasks must not call parallel_for.
void run_tasks(int64_t tasks, void (*task)(void* context, int64_t i), void* context);

template <class F>
void parallel_for(int64_t tasks, F&& f) {
    run_tasks(
        tasks, [](void* context, int64_t i) { (*static_cast<F*>(context))(i); }, &f);
}

// Scratch memory of this thread, at least `bytes`, 64-byte aligned, valid until the next call with the same slot (0..3).
void* scratch(int slot, int64_t bytes);

}  // namespace gannet::kernels::cpu
