// Runs the blocks of a grid. Internal to the shim: runtime files launch through it, storage.cpp keeps its memory in it.
//
// The threads of a block share a few stacks: one fiber calls the kernel for one thread after another, and only a waiting thread
// keeps its fiber. So a kernel without barriers needs two switches per block.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "block.h"
#include "fiber.h"
#include "vector_types.h"

namespace simt {

using Body = std::function<void()>;  // runs the kernel for threadIdx

struct Grid {
    dim3 blocks, threads;
    std::size_t dynamic_bytes = 0;
};

// Returns false if a thread failed; the thread has printed the place and the reason.
// Environment: SIMT_ORDER=forward|reverse|shuffle:N orders threads (between barriers) and blocks; SIMT_THREADS=N runs blocks on N
// OS threads.
bool run_grid(const Grid& grid, const Body& body);

// The order of threads and blocks.
struct Order {
    enum Kind { forward, reverse, shuffle } kind = forward;
    uint64_t seed = 0;
    bool operator==(const Order&) const = default;
    static Order from_environment();
    std::vector<uint16_t> threads(int count) const;
    int64_t block(int64_t turn, int64_t count) const;
};

struct PendingCopy {
    void* to;
    unsigned char data[16];
    int bytes, group;
};

struct Thread {
    Fiber* fiber = nullptr;
    const Operation* waits_at = nullptr;  // null if it is running or ready
    bool exited = false;
    int predicate = 0;                // becomes the barrier's result
    unsigned mask = 0;                // of the warp operation
    int committed = 0;                // groups of copies
    std::size_t delivered = 0;        // of `copies`
    std::vector<PendingCopy> copies;  // issued
};

// Lanes waiting at the same operation of their warp.
struct Meeting {
    const Operation* operation;
    unsigned mask, arrived;
    void* lanes[32];
};

struct SharedBlock {
    const void* key = nullptr;
    std::size_t bytes = 0;
    void* data = nullptr;
    bool dynamic = false, filled = false;
};

// The work of one OS thread, which runs one block at a time.
class Worker {
public:
    Worker() = default;
    ~Worker();
    Worker(const Worker&) = delete;

    static Worker& current();  // of the OS thread that runs a grid

    void begin_grid(const Grid& grid, const Order& order, const Body& body);
    bool run_block(int64_t linear);
    void end_grid();

    // For the running thread.
    int block_barrier(Barrier kind, bool predicate);
    void warp_meet(const Operation& operation, unsigned mask, void* mine);
    void* shared_memory(const void* key, std::size_t bytes, std::size_t alignment, bool dynamic);
    bool in_shared_memory(const void* data, std::size_t bytes) const;
    Thread& running() { return threads_[std::size_t(current_)]; }
    [[noreturn]] void abandon();

private:
    static void fiber_main(void* self);
    void run_threads();
    void wait(const Operation& at);
    Fiber& next();
    void release_barrier();
    void report_deadlock();
    bool report_warp(int thread);
    Fiber& idle_fiber();
    void reset_fibers();

    std::thread::id owner_;
    Grid grid_;
    Order order_kind_;
    const Body* body_ = nullptr;
    int count_ = 0;
    std::vector<uint16_t> order_, warp_order_;  // threads in order; the same, warp by warp
    std::vector<uint3> index_;                  // threadIdx of each thread
    std::vector<Thread> threads_;
    std::vector<uint16_t> ready_;  // the last one runs first
    std::vector<std::vector<Meeting>> meetings_;
    std::vector<SharedBlock> shared_;
    int current_ = 0, started_ = 0, exited_ = 0, at_barrier_ = 0;
    bool failed_ = false;
    Fiber main_;
    Fiber* fiber_ = &main_;  // the running fiber
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Fiber*> idle_;
};

}  // namespace simt
