// cp.async: copies 4, 8 or 16 bytes from global to shared memory without a register, on sm_80 and later; a plain copy on older
// GPUs. If `valid` is false, it writes zeros and reads nothing. The copies since the last commit are a group; wait<N>() returns
// when at most N groups are in flight. The copies of other threads are visible after the next __syncthreads.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

namespace gannet::kernels::cuda {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define GANNET_HAS_ASYNC_COPY 1
#endif

template <int bytes>
__device__ __forceinline__ void async_copy(void* to_shared, const void* from_global, bool valid = true) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16);
#ifdef GANNET_HAS_ASYNC_COPY
    const uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(to_shared));
    const int size = valid ? bytes : 0;
    if constexpr (bytes == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from_global), "r"(size) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from_global), "n"(bytes), "r"(size)
                     : "memory");
#else
    struct alignas(bytes) Words {
        uint32_t words[bytes / 4];
    };
    Words w = {};
    if (valid) w = *static_cast<const Words*>(from_global);
    *static_cast<Words*>(to_shared) = w;
#endif
}

__device__ __forceinline__ void async_copy_commit() {
#ifdef GANNET_HAS_ASYNC_COPY
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int groups>
__device__ __forceinline__ void async_copy_wait() {
#ifdef GANNET_HAS_ASYNC_COPY
    asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
#endif
}

}  // namespace gannet::kernels::cuda
