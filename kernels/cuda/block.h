// Sums over a warp and over a block in a fixed order: a butterfly within each warp, then the sums of the warps in order.
#pragma once
#include <cuda_runtime.h>

#include "kernels/cuda/shared.h"

namespace gannet::kernels::cuda {

inline constexpr int warp_size = 32;
inline constexpr unsigned all_lanes = 0xFFFFFFFFu;

// Every lane gets the sum over the warp. All 32 lanes must call it. V has operator+ and a default constructor.
template <class V>
__device__ __forceinline__ V warp_sum(V value) {
#pragma unroll
    for (int distance = warp_size / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(all_lanes, value, distance);
    return value;
}

// Every thread gets the sum over the block. All threads call it; their number is a multiple of 32. `partial` is shared memory for
// block / 32 values. The memory can be used again, because the function ends with a barrier.
template <int threads, class V>
__device__ __forceinline__ V block_sum(V value, V (&partial)[threads / warp_size]) {
    static_assert(threads % warp_size == 0);
    value = warp_sum(value);
    if constexpr (threads == warp_size) return value;
    if (threadIdx.x % warp_size == 0) partial[threadIdx.x / warp_size] = value;
    __syncthreads();
    V total = partial[0];
#pragma unroll
    for (int w = 1; w < threads / warp_size; ++w) total += partial[w];
    __syncthreads();
    return total;
}

}  // namespace gannet::kernels::cuda
