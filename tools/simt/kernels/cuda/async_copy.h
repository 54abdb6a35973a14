// The CPU test shim's kernels/cuda/async_copy.h. A copy arrives at the wait that covers it; until then its destination holds NaN.
// Addresses must be aligned to the copy's size, and the destination must be shared memory.
#pragma once
#include <cuda_runtime.h>

namespace gannet::kernels::cuda {

#define GANNET_HAS_ASYNC_COPY 1

template <int bytes>
void async_copy(void* to_shared, const void* from_global, bool valid = true) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16);
    simt::async_copy(to_shared, from_global, bytes, valid);
}

inline void async_copy_commit() { simt::async_copy_commit(); }

template <int groups>
void async_copy_wait() {
    simt::async_copy_wait(groups);
}

}  // namespace gannet::kernels::cuda
