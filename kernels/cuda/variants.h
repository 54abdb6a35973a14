// The variants of a kernel over rows and columns: 16 bytes or one value per access, and one for each activation.
#pragma once
#include <type_traits>

#include "kernels/cuda/pack.h"
#include "kernels/math.h"

namespace gannet::kernels::cuda {

// Calls f(width) with a constant: the number of values in 16 bytes if `packs`, otherwise 1.
template <class T, class F>
void with_width(bool packs, F&& f) {
    if (packs) f(std::integral_constant<int, widest<T>>{});
    else f(std::integral_constant<int, 1>{});
}

// Calls f(width, activation) for an activation that is fused into the kernel. With packs, each activation is a separate kernel;
// with single values (unaligned pointers), one kernel switches over the activation.
template <class T, class F>
void with_width(bool packs, Activation act, F&& f) {
    check_fused(act);
    if (packs) with_activation(act, [&](auto a) { f(std::integral_constant<int, widest<T>>{}, a); });
    else f(std::integral_constant<int, 1>{}, act);
}

// Loads `width` values at p, in one access if p is aligned, which is the same for every thread of a launch. For the parameters of
// a layer, which may be at any address in the network's buffer.
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

// dz = act'(.) dy from element e on. Without an activation, y is not read and may be null.
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
