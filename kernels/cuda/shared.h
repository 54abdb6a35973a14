// The shared memory of a block as one struct: `Tiles& tiles = shared<Tiles>();`, called once per kernel by every thread.
// T is trivial. Up to 48 KiB, the memory is static; otherwise the launcher passes dynamic_bytes<T>().
#pragma once
#include <cuda_runtime.h>

#include <cstddef>

namespace gannet::kernels::cuda {

inline constexpr std::size_t static_shared_limit = 48 * 1024;

template <class T>
constexpr std::size_t dynamic_bytes() {
    return sizeof(T) > static_shared_limit ? sizeof(T) : 0;
}

template <class T>
__device__ __forceinline__ T& shared() {
    if constexpr (sizeof(T) > static_shared_limit) {
        extern __shared__ __align__(16) unsigned char memory[];
        return reinterpret_cast<T&>(memory);
    } else {
        __shared__ __align__(16) T storage;
        return storage;
    }
}

}  // namespace gannet::kernels::cuda
