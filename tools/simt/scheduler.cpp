// Schedules the threads of one block, with barriers and warp operations.
#include "scheduler.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace simt {
namespace {
constexpr Operation barriers[] = {
    {"__syncthreads", nullptr}, {"__syncthreads_or", nullptr}, {"__syncthreads_and", nullptr}, {"__syncthreads_count", nullptr}};
}

void fail(const char* format, ...) {
    std::fprintf(stderr, "simt: block (%u,%u,%u) thread (%u,%u,%u): ", blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x,
                 threadIdx.y, threadIdx.z);
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::fputc('\n', stderr);
    Worker::current().abandon();
}

int block_barrier(Barrier kind, bool predicate) { return Worker::current().block_barrier(kind, predicate); }
void warp_meet(const Operation& operation, unsigned mask, void* mine) { Worker::current().warp_meet(operation, mask, mine); }

void Worker::begin_grid(const Grid& grid, const Order& order, const Body& body) {
    // An idle fiber may have cached the address of its OS thread's threadIdx.
    if (owner_ != std::this_thread::get_id()) reset_fibers();
    owner_ = std::this_thread::get_id();
    const dim3 size = grid.threads, last = grid_.threads;
    const bool same = count_ > 0 && order == order_kind_ && size.x == last.x && size.y == last.y && size.z == last.z;
    blockDim = size;
    gridDim = grid.blocks;
    grid_ = grid;
    body_ = &body;
    if (same) return;
    order_kind_ = order;
    count_ = int(size.x * size.y * size.z);
    const int warps = (count_ + 31) / 32;
    order_ = order.threads(count_);
    warp_order_ = order_;
    std::stable_sort(warp_order_.begin(), warp_order_.end(), [](int a, int b) { return a / 32 < b / 32; });
    index_.clear();
    for (unsigned z = 0; z < size.z; ++z)
        for (unsigned y = 0; y < size.y; ++y)
            for (unsigned x = 0; x < size.x; ++x) index_.push_back({x, y, z});
    threads_.resize(count_);
    meetings_.resize(warps);
}

// Returns false if a thread failed.
bool Worker::run_block(int64_t linear) {
    const int64_t x = grid_.blocks.x, y = grid_.blocks.y;
    blockIdx = {unsigned(linear % x), unsigned(linear / x % y), unsigned(linear / x / y)};
    started_ = exited_ = at_barrier_ = 0;
    failed_ = false;
    for (SharedBlock& memory : shared_) memory.filled = false;
    fiber_ = &idle_fiber();
    Fiber::run(main_, *fiber_);
    if (!failed_) return true;
    // Discards the waiting threads.
    ready_.clear();
    for (auto& meetings : meetings_) meetings.clear();
    reset_fibers();
    return false;
}

void Worker::reset_fibers() {
    idle_.clear();
    for (auto& fiber : fibers_) {
        fiber->reset();
        idle_.push_back(fiber.get());
    }
}

void Worker::abandon() {
    failed_ = true;
    Fiber& from = *fiber_;
    fiber_ = &main_;
    Fiber::run(from, main_);
    __builtin_unreachable();
}

void Worker::fiber_main(void* self) { static_cast<Worker*>(self)->run_threads(); }

// Main loop of every fiber: runs threads one after another. A thread that waits keeps its fiber until it ends.
void Worker::run_threads() {
    Fiber& self = *fiber_;
    for (;;) {
        if (ready_.empty() && started_ < count_) {
            current_ = order_[started_++];
            Thread& thread = threads_[current_];
            thread.fiber = &self;
            thread.waits_at = nullptr;
            thread.exited = false;
            thread.committed = 0;
            thread.delivered = 0;
            thread.copies.clear();
            threadIdx = index_[current_];
            (*body_)();
            thread.exited = true;
            ++exited_;
        } else {
            idle_.push_back(&self);
            fiber_ = &next();
            Fiber::run(self, *fiber_);
        }
    }
}

Fiber& Worker::idle_fiber() {
    if (idle_.empty()) {
        fibers_.push_back(std::make_unique<Fiber>(&Worker::fiber_main, this, int(fibers_.size())));
        return *fibers_.back();
    }
    Fiber& fiber = *idle_.back();
    idle_.pop_back();
    return fiber;
}

// Selects the next thread: lanes of completed warp operations first, then threads that have not begun, then the threads at the
// barrier if all have arrived.
Fiber& Worker::next() {
    if (ready_.empty()) {
        if (started_ < count_) return idle_fiber();
        if (at_barrier_ == count_) release_barrier();
        else if (exited_ < count_) report_deadlock();
        if (ready_.empty()) return main_;
    }
    current_ = ready_.back();
    ready_.pop_back();
    threadIdx = index_[current_];
    threads_[current_].waits_at = nullptr;
    return *threads_[current_].fiber;
}

void Worker::wait(const Operation& at) {
    running().waits_at = &at;
    Fiber& self = *fiber_;
    fiber_ = &next();
    if (fiber_ != &self) Fiber::run(self, *fiber_);
}

int Worker::block_barrier(Barrier kind, bool predicate) {
    Thread& thread = running();
    thread.predicate = predicate;
    ++at_barrier_;
    wait(barriers[int(kind)]);
    return thread.predicate;
}

void Worker::release_barrier() {
    int sum = 0;
    for (const Thread& thread : threads_) {
        if (thread.waits_at != threads_[0].waits_at) return report_deadlock();
        sum += thread.predicate;
    }
    at_barrier_ = 0;
    for (std::size_t i = order_.size(); i-- > 0;) {
        threads_[order_[i]].predicate = sum;
        ready_.push_back(order_[i]);
    }
}

void Worker::warp_meet(const Operation& operation, unsigned mask, void* mine) {
    const int warp = current_ / 32, lane = current_ % 32;
    if (!(mask >> lane & 1)) fail("%s with mask 0x%08x, which does not include its own lane %d", operation.name, mask, lane);
    auto& meetings = meetings_[warp];
    Meeting* meeting = nullptr;
    for (Meeting& m : meetings)
        if (m.operation == &operation && m.mask == mask) meeting = &m;
    if (!meeting) meeting = &meetings.emplace_back(Meeting{&operation, mask, 0, {}});
    meeting->lanes[lane] = mine;
    meeting->arrived |= 1u << lane;
    running().mask = mask;
    if (meeting->arrived == mask) {
        operation.complete(meeting->lanes, mask);
        if (meeting != &meetings.back()) *meeting = meetings.back();
        meetings.pop_back();
        for (int i = std::min(count_, warp * 32 + 32); i-- > warp * 32;)
            if (mask >> (warp_order_[i] % 32) & 1) ready_.push_back(warp_order_[i]);
    }
    wait(operation);
}

}  // namespace simt
