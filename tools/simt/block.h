// What a running kernel thread asks of its block: barriers, meetings of a warp's lanes, shared memory, late copies.
// Implemented by scheduler.cpp and storage.cpp; called by device_functions.h and kernels/cuda/*.h.
#pragma once
#include <cstddef>

namespace simt {

// Ends the launch with cudaErrorLaunchFailure; prints block, thread and the text. Must be called by a kernel thread.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

enum class Barrier { plain, any, all, count };
// Waits until every thread of the block is at a barrier of this kind; returns how many brought a predicate that is not 0.
int block_barrier(Barrier kind, bool predicate);

// What the lanes of a warp do together. Each brings a pointer to its own part; when all lanes of the mask are there, `complete`
// reads and writes the parts (`lanes` has a null for each lane outside the mask). The address says which operation it is.
struct Operation {
    const char* name;
    void (*complete)(void* const* lanes, unsigned mask);
};
void warp_meet(const Operation& operation, unsigned mask, void* mine);

// The block's memory for `key`, filled with 0xFF bytes when its first thread asks. `dynamic` memory must have been asked for in
// the launch.
void* shared_memory(const void* key, std::size_t bytes, std::size_t alignment, bool dynamic);
bool in_shared_memory(const void* data, std::size_t bytes);

// cp.async: source is read at once, and `to` holds 0xFF bytes until a wait covers the copy's group.
void async_copy(void* to, const void* from, int bytes, bool valid);
void async_copy_commit();
void async_copy_wait(int groups_under_way);

}  // namespace simt
