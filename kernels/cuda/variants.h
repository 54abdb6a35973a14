// The variants of a kernel over rows and columns: 16 bytes wide or one value, and one for each activation.
#pragma once
#include <type_traits>

#include "kernels/cuda/pack.h"
#include "kernels/math.h"

namespace gannet::kernels::cuda {

// Calls f(width) with a constant: 16 bytes of T if `packs`, else one value.
template <class T, class F>
void with_width(bool packs, F&& f) {
    if (packs) f(std::integral_constant<int, widest<T>>{});
    else f(std::integral_constant<int, 1>{});
}

// Calls f(width, activation), one that is fused into the kernel. Only packs are compiled for each; single values (odd pointers)
// switch inside.
template <class T, class F>
void with_width(bool packs, Activation act, F&& f) {
    check_fused(act);
    if (packs) with_activation(act, [&](auto a) { f(std::integral_constant<int, widest<T>>{}, a); });
    else f(std::integral_constant<int, 1>{}, act);
}

// `width` values at p, in one access where p allows it, which every thread of a launch finds alike: for the parameters of a
// layer, which lie anywhere in a network's buffer.
template <int width, class T>
__device__ __forceinline__ Pack<T, width> load_any(const T* p) {
    if (reinterpret_cast<uintptr_t>(p) % sizeof(Pack<T, width>) == 0) return load_pack<width>(p);
    Pack<T, width> values;
#pragma unroll
    for (int k = 0; k < width; ++k) values[k] = p[k];
    return values;
}

template <class A, int width>
__device__ __forceinline__ A sum_of(const Pack<A, width>& terms) {
    Pack<A, width> values = terms;
#pragma unroll
    for (int half = width / 2; half > 0; half /= 2)
#pragma unroll
        for (int k = 0; k < half; ++k) values[k] += values[k + half];
    return values[0];
}

// ---- gradients through an activation -----------------------------------------------------------------------------------

template <ActivationKind K>
GANNET_HD constexpr bool reads_output(StaticActivation<K>) {
    return K != ActivationKind::none;
}
GANNET_HD bool reads_output(Activation a) { return a.kind != ActivationKind::none; }

// dz = act'(.) dy from element e on; y is not read, and may be null, where there is no activation.
template <class T, int width>
struct OutputGradient {
    Pack<T, width> y, dy;

    template <class A>
    __device__ static __forceinline__ OutputGradient load(const T* y, const T* dy, int64_t e, A act) {
        return {reads_output(act) ? load_pack<width>(y + e) : Pack<T, width>{}, load_pack<width>(dy + e)};
    }
    template <class A>
    __device__ __forceinline__ T at(int k, A act) const {
        return activation_gradient(y[k], dy[k], act);
    }
    template <class A>
    __device__ __forceinline__ T at_any(int k, A act) const {
        return gradient_of_any(y[k], dy[k], act);
    }
};

}  // namespace gannet::kernels::cuda
