// Services of a block for its kernel threads: barriers, warp operations, shared memory, asynchronous copies.
// Implemented by scheduler.cpp and storage.cpp; called by device_functions.h and kernels/cuda/*.h.
#pragma once
#include <cstddef>

namespace simt {

// Ends the launch with cudaErrorLaunchFailure, and prints block, thread and the text. Only for kernel threads.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

enum class Barrier { plain, any, all, count };
// Waits until every thread of the block is at a barrier of this kind. Returns the number of threads with a nonzero predicate.
int block_barrier(Barrier kind, bool predicate);

// An operation of a warp. Each lane passes a pointer to its own part. When all lanes of the mask have arrived, `complete` reads
// and writes the parts (`lanes` has a null for each lane outside the mask). Operations are compared by address.
struct Operation {
    const char* name;
    void (*complete)(void* const* lanes, unsigned mask);
};
void warp_meet(const Operation& operation, unsigned mask, void* mine);

// The block's memory for `key`, filled with 0xFF bytes at the first call. The launch must have requested `dynamic` memory.
void* shared_memory(const void* key, std::size_t bytes, std::size_t alignment, bool dynamic);
bool in_shared_memory(const void* data, std::size_t bytes);

// cp.async: reads the source immediately; `to` holds 0xFF bytes until a wait covers the copy's group.
void async_copy(void* to, const void* from, int bytes, bool valid);
void async_copy_commit();
void async_copy_wait(int groups_under_way);

}  // namespace simt
