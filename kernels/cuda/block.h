// The sum over a warp in a fixed order, a butterfly.
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

}  // namespace gannet::kernels::cuda
