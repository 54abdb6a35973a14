// A device's threads. Work is cut into tasks by the shape alone, never by the number of threads, and a task writes only its
// own outputs, so results do not depend on who runs what.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>

#include "kernels/execution.h"

namespace gannet {

// Threads that are started by their first job and joined by the destructor. Other pools of the process have threads of their own.
class ThreadPool {
public:
    // How many compute, including the caller. 0: the number in GANNET_THREADS, or usable_threads() of base/limits.h.
    explicit ThreadPool(int threads = 0);
    ~ThreadPool();
    int size() const { return size_; }

    // Starts the threads now. Throws Error if the system refuses, as the first job would.
    void start();

    // Calls task(context, i) once for each i in [0, tasks), on the caller and the threads. Returns when all are done. Each thread
    // starts with its own run of neighbouring tasks, then helps the others, so the distribution is not fixed. What a task throws
    // (memory may run out) is thrown again on the caller, after all tasks. While a job runs, another of the same pool is computed
    // by its caller alone.
    void run(int64_t tasks, void (*task)(void* context, int64_t i), void* context);

private:
    class Workers;
    int size_;
    std::unique_ptr<Workers> workers_;
};

template <class F>
void parallel_for(ThreadPool& threads, int64_t tasks, F&& f) {
    threads.run(
        tasks, [](void* context, int64_t i) { (*static_cast<F*>(context))(i); }, &f);
}

// On the threads of the device that a kernel runs on.
template <class F>
void parallel_for(Stream stream, int64_t tasks, F&& f) {
    parallel_for(*stream->threads, tasks, std::forward<F>(f));
}

namespace kernels::cpu {

// Scratch memory of this thread, at least `bytes`, 64-byte aligned, valid until the next call with the same slot (0..3).
void* scratch(int slot, int64_t bytes);

}  // namespace kernels::cpu
}  // namespace gannet
