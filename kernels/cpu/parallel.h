// The threads of a device. The shape alone decides how work is split into tasks, never the number of threads, and a task writes
// only its own outputs. So results do not depend on which thread runs a task.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>

#include "kernels/execution.h"

namespace gannet {

// The first job starts the threads, the destructor joins them. Each pool of a process has separate threads.
class ThreadPool {
public:
    // The number of threads, including the caller. 0: GANNET_THREADS, or usable_threads() of base/limits.h.
    explicit ThreadPool(int threads = 0);
    ~ThreadPool();
    int size() const { return size_; }

    // Starts the threads now. Throws Error if the system refuses, as the first job would.
    void start();

    // Calls task(context, i) once for each i in [0, tasks), on the caller and the threads, and returns when all are done. Each
    // thread starts with its own range of tasks, then takes tasks of other ranges, so the distribution varies. An exception of a
    // task is rethrown on the caller after all tasks. While a job runs, another job of the same pool is computed by its caller
    // alone.
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

// Uses the threads of the device that runs the kernel.
template <class F>
void parallel_for(Stream stream, int64_t tasks, F&& f) {
    parallel_for(*stream->threads, tasks, std::forward<F>(f));
}

namespace kernels::cpu {

// Scratch memory of this thread, at least `bytes`, 64-byte aligned, valid until the next call with the same slot (0..3).
void* scratch(int slot, int64_t bytes);

}  // namespace kernels::cpu
}  // namespace gannet
