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

// Whether every pointer is on a 16-byte boundary; null counts as aligned.
template <class... P>
bool aligned(const P*... pointers) {
    return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

}  // namespace gannet::kernels::cuda
