// Several values that one instruction loads or stores.
#pragma once
#include <cstdint>

#include "kernels/real.h"

namespace gannet::kernels::cuda {

template <class T, int n>
struct alignas(sizeof(T) * n) Pack {
    T v[n];
    GANNET_HD T& operator[](int i) { return v[i]; }
    GANNET_HD const T& operator[](int i) const { return v[i]; }
};

template <int n, class T>
GANNET_HD Pack<T, n> load_pack(const T* from) {
    return *reinterpret_cast<const Pack<T, n>*>(from);
}
template <int n, class T>
GANNET_HD void store_pack(T* to, const Pack<T, n>& values) {
    *reinterpret_cast<Pack<T, n>*>(to) = values;
}

// The widest load of T: 16 bytes. The launcher must check that every pointer and row pitch allows it.
template <class T>
inline constexpr int widest = 16 / int(sizeof(T));

// n values at a 16-byte boundary, in any number of accesses.
template <int n, class T>
__device__ __forceinline__ Pack<T, n> load_values(const T* from) {
    Pack<T, n> values;
#pragma unroll
    for (int k = 0; k < n; k += widest<T>) {
        const auto part = load_pack<widest<T>>(from + k);
#pragma unroll
        for (int i = 0; i < widest<T>; ++i) values[k + i] = part[i];
    }
    return values;
}
template <int n, class T>
__device__ __forceinline__ void store_values(T* to, const Pack<T, n>& values) {
#pragma unroll
    for (int k = 0; k < n; k += widest<T>) {
        Pack<T, widest<T>> part;
#pragma unroll
        for (int i = 0; i < widest<T>; ++i) part[i] = values[k + i];
        store_pack(to + k, part);
    }
}

// Whether every pointer is on a 16-byte boundary; null counts as aligned.
template <class... P>
bool aligned(const P*... pointers) {
    return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

}  // namespace gannet::kernels::cuda
