// Elementwise kernels. All are bound by memory: per element, 4 bytes are read per input and 4 bytes are written, in 16-byte
// accesses, at 85 to 92 % of an H100's 3.35 TB/s if the tensors are much larger than its L2 cache. exp, tanh and similar
// functions need 35 to 60 instructions per element (kernels/math.h), which take less time than the accesses; softplus needs 85,
// which take about as long.
#include "kernels/kernels.h"

#include "kernels/cuda/elementwise.h"
#include "kernels/math.h"

namespace gannet::kernels::cuda {
namespace {

// Each kernel has at most 40 registers; most have few enough for full occupancy.

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) fill_kernel(T* y, T value, int64_t n, bool wide) {
    const Share<T> mine(n, wide);
    typename Share<T>::Values values;
#pragma unroll
    for (T& v : values.v) v = value;
    mine.store(y, values);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) copy_kernel(T* y, const T* x, int64_t n, bool wide) {
    const Share<T> mine(n, wide);
    mine.store(y, mine.load(x));
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) add_kernel(T* y, const T* a, const T* b, int64_t n, bool wide) {
    map(
        y, n, wide, [](T u, T v) { return u + v; }, a, b);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) sub_kernel(T* y, const T* a, const T* b, int64_t n, bool wide) {
    map(
        y, n, wide, [](T u, T v) { return u - v; }, a, b);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) mul_kernel(T* y, const T* a, const T* b, int64_t n, bool wide) {
    map(
        y, n, wide, [](T u, T v) { return u * v; }, a, b);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) div_kernel(T* y, const T* a, const T* b, int64_t n, bool wide) {
    map(
        y, n, wide, [](T u, T v) { return u / v; }, a, b);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    affine_kernel(T* y, const T* x, T scale, T offset, int64_t n, bool wide) {
    map(
        y, n, wide, [=](T v) { return scale * v + offset; }, x);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) exp_kernel(T* y, const T* x, int64_t n, bool wide) {
    map(
        y, n, wide, [](T v) { return math::exp(v); }, x);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) log_kernel(T* y, const T* x, int64_t n, bool wide) {
    map(
        y, n, wide, [](T v) { return math::log(v); }, x);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) sqrt_kernel(T* y, const T* x, int64_t n, bool wide) {
    map(
        y, n, wide, [](T v) { return math::sqrt(v); }, x);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) softplus_kernel(T* y, const T* x, int64_t n, bool wide) {
    map(
        y, n, wide, [](T v) { return math::softplus(v); }, x);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks) clamp_kernel(T* y, const T* x, T low, T high, int64_t n, bool wide) {
    map(
        y, n, wide, [=](T v) { return math::clamp(v, low, high); }, x);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    clamp_grad_kernel(T* dx, const T* x, const T* dy, T low, T high, int64_t n, bool wide) {
    map(
        dx, n, wide, [=](T v, T d) { return v >= low && v <= high ? d : T(0); }, x, dy);
}

template <class T, class A>
__global__ void __launch_bounds__(map_threads, map_blocks) activation_kernel(T* y, const T* x, A act, int64_t n, bool wide) {
    map(
        y, n, wide, [=](T v) { return activate_any(v, act); }, x);
}

template <class T, ActivationKind K>
__global__ void __launch_bounds__(map_threads, map_blocks)
    activation_grad_kernel(T* dx, const T* y, const T* dy, StaticActivation<K> act, int64_t n, bool wide) {
    if constexpr (K == ActivationKind::none)
        map(
            dx, n, wide, [](T d) { return d; }, dy);  // y may be null
    else
        map(
            dx, n, wide, [=](T v, T d) { return gradient_of_any(v, d, act); }, y, dy);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    interpolate_kernel(T* y, const T* real_rows, const T* fake, const T* weight, Divisor cols, int64_t n, bool wide) {
    const Share<T> mine(n, wide);
    const auto a = mine.load(real_rows), b = mine.load(fake);
    typename Share<T>::Values values;
#pragma unroll
    for (int k = 0; k < widest<T>; ++k) {
        const int64_t e = mine.element(k);
        const T w = e < n ? weight[cols.quotient(uint32_t(e))] : T(0);
        values[k] = b[k] + w * (a[k] - b[k]);
    }
    mine.store(y, values);
}

}  // namespace

template <class T>
void fill(T* y, T value, int64_t n, Stream stream) {
    launch_map<T>("fill", fill_kernel<T>, n, stream, y, value, n, aligned(y));
}

template <class T>
void copy(T* y, const T* x, int64_t n, Stream stream) {
    launch_map<T>("copy", copy_kernel<T>, n, stream, y, x, n, aligned(y, x));
}

template <class T>
void add(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    launch_map<T>("add", add_kernel<T>, n, stream, y, a, b, n, aligned(y, a, b));
}

template <class T>
void sub(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    launch_map<T>("sub", sub_kernel<T>, n, stream, y, a, b, n, aligned(y, a, b));
}

template <class T>
void mul(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    launch_map<T>("mul", mul_kernel<T>, n, stream, y, a, b, n, aligned(y, a, b));
}

template <class T>
void div(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    launch_map<T>("div", div_kernel<T>, n, stream, y, a, b, n, aligned(y, a, b));
}

template <class T>
void affine(T* y, const T* x, T scale, T offset, int64_t n, Stream stream) {
    launch_map<T>("affine", affine_kernel<T>, n, stream, y, x, scale, offset, n, aligned(y, x));
}

template <class T>
void exp(T* y, const T* x, int64_t n, Stream stream) {
    launch_map<T>("exp", exp_kernel<T>, n, stream, y, x, n, aligned(y, x));
}

template <class T>
void log(T* y, const T* x, int64_t n, Stream stream) {
    launch_map<T>("log", log_kernel<T>, n, stream, y, x, n, aligned(y, x));
}

template <class T>
void sqrt(T* y, const T* x, int64_t n, Stream stream) {
    launch_map<T>("sqrt", sqrt_kernel<T>, n, stream, y, x, n, aligned(y, x));
}

template <class T>
void softplus(T* y, const T* x, int64_t n, Stream stream) {
    launch_map<T>("softplus", softplus_kernel<T>, n, stream, y, x, n, aligned(y, x));
}

template <class T>
void clamp(T* y, const T* x, T low, T high, int64_t n, Stream stream) {
    launch_map<T>("clamp", clamp_kernel<T>, n, stream, y, x, low, high, n, aligned(y, x));
}

template <class T>
void clamp_grad(T* dx, const T* x, const T* dy, T low, T high, int64_t n, Stream stream) {
    launch_map<T>("clamp_grad", clamp_grad_kernel<T>, n, stream, dx, x, dy, low, high, n, aligned(dx, x, dy));
}

template <class T>
void activation(T* y, const T* x, Activation act, int64_t n, Stream stream) {
    with_any_activation(act, [&](auto a) {
        launch_map<T>("activation", activation_kernel<T, decltype(a)>, n, stream, y, x, a, n, aligned(y, x));
    });
}

template <class T>
void activation_grad(T* dx, const T* y, const T* dy, Activation act, int64_t n, Stream stream) {
    with_any_activation(act, [&]<ActivationKind K>(StaticActivation<K> a) {
        launch_map<T>("activation_grad", activation_grad_kernel<T, K>, n, stream, dx, y, dy, a, n, aligned(dx, y, dy));
    });
}

template <class T>
void interpolate(T* y, const T* real_rows, const T* fake, const T* weight, const RowsShape& s, Stream stream) {
    for_ranges(s.rows, s.cols, [&](int64_t first, int64_t count) {
        const int64_t e = first * s.cols, n = count * s.cols;
        launch_map<T>("interpolate", interpolate_kernel<T>, n, stream, y + e, real_rows + e, fake + e, weight + first,
                      Divisor(s.cols), n, aligned(y + e, real_rows + e, fake + e));
    });
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/pointwise.inl"
#include "kernels/cuda/instantiate.inl"
