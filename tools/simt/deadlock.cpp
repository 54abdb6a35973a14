// Reports a deadlock (no thread of the block can continue): which threads wait, where, and for which threads.
#include <cstdio>

#include "scheduler.h"

namespace simt {
namespace {

bool at_block_barrier(const Thread& thread) { return !thread.exited && !thread.waits_at->complete; }

// "has exited", "waits at __shfl_xor_sync with mask 0x0000ffff"
void print_state(const Thread& thread) {
    if (thread.exited) {
        std::fprintf(stderr, "has exited");
        return;
    }
    std::fprintf(stderr, "waits at %s", thread.waits_at->name);
    if (!at_block_barrier(thread)) std::fprintf(stderr, " with mask 0x%08x", thread.mask);
}

void print_thread(uint3 block, uint3 thread) {
    std::fprintf(stderr, "simt: block (%u,%u,%u) thread (%u,%u,%u) ", block.x, block.y, block.z, thread.x, thread.y, thread.z);
}

}  // namespace

// If the thread waits for lanes of its warp, prints the first missing lane.
bool Worker::report_warp(int t) {
    const Thread& thread = threads_[t];
    if (thread.exited || at_block_barrier(thread)) return false;
    for (int lane = 0; lane < 32; ++lane) {
        const int other = t / 32 * 32 + lane;
        if (!(thread.mask >> lane & 1)) continue;
        const bool there = other < count_ && threads_[other].waits_at == thread.waits_at && threads_[other].mask == thread.mask;
        if (there && !threads_[other].exited) continue;
        print_thread(blockIdx, index_[t]);
        print_state(thread);
        std::fprintf(stderr, ", but lane %d of the mask ", lane);
        if (other < count_) print_state(threads_[other]);
        else std::fprintf(stderr, "does not exist in a block of %d threads", count_);
        std::fputc('\n', stderr);
        return true;
    }
    return false;
}

void Worker::report_deadlock() {
    failed_ = true;
    for (int t = 0; t < count_; ++t)
        if (report_warp(t)) return;
    // Every thread has exited or waits at a barrier of the block. Finds one that is not at the first waiting thread's barrier.
    int waiting = 0;
    while (threads_[waiting].exited) ++waiting;
    for (int t = 0; t < count_; ++t) {
        const Thread& other = threads_[t];
        if (!other.exited && other.waits_at == threads_[waiting].waits_at) continue;
        print_thread(blockIdx, index_[waiting]);
        print_state(threads_[waiting]);
        std::fprintf(stderr, ", but thread (%u,%u,%u) ", index_[t].x, index_[t].y, index_[t].z);
        print_state(other);
        std::fprintf(stderr, ": divergent barrier\n");
        return;
    }
}

}  // namespace simt
