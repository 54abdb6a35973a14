// The CPU test shim's kernels/cuda/shared.h: shared memory on the heap, one allocation for each type, filled with NaN when a
// block begins. Above 48 KiB, the launch must request that many dynamic bytes.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <type_traits>

namespace gannet::kernels::cuda {

inline constexpr std::size_t static_shared_limit = 48 * 1024;

template <class T>
constexpr std::size_t dynamic_bytes() {
    return sizeof(T) > static_shared_limit ? sizeof(T) : 0;
}

template <class T>
inline constexpr char shared_key = 0;  // its address identifies the type

template <class T>
T& shared() {
    static_assert(std::is_trivial_v<T>);
    return *static_cast<T*>(simt::shared_memory(&shared_key<T>, sizeof(T), alignof(T), sizeof(T) > static_shared_limit));
}

}  // namespace gannet::kernels::cuda
