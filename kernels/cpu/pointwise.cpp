// Elementwise kernels. All are bound by memory: per element, 4 bytes are read per input and 4 bytes are written. exp, tanh and
// similar functions (15 to 30 flops) need at most one vector instruction per byte; kernels/math.h has their polynomials.
#include "kernels/cpu/isa.h"

#include "kernels/cpu/blocks.h"

namespace gannet::kernels::cpu::GANNET_ISA {

template <class T>
void fill(T* y, T value, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t) { return value; });
}

template <class T>
void copy(T* y, const T* x, int64_t n, Stream stream) {
    for_blocks(stream, n, [=](int64_t begin, int64_t end) { memcpy(y + begin, x + begin, size_t(end - begin) * sizeof(T)); });
}

template <class T>
void add(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return a[e] + b[e]; });
}

template <class T>
void sub(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return a[e] - b[e]; });
}

template <class T>
void mul(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return a[e] * b[e]; });
}

template <class T>
void div(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return a[e] / b[e]; });
}

template <class T>
void affine(T* y, const T* x, T scale, T offset, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return scale * x[e] + offset; });
}

template <class T>
void exp(T* y, const T* x, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return math::exp(x[e]); });
}

template <class T>
void log(T* y, const T* x, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return math::log(x[e]); });
}

template <class T>
void sqrt(T* y, const T* x, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return math::sqrt(x[e]); });
}

template <class T>
void softplus(T* y, const T* x, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return math::softplus(x[e]); });
}

template <class T>
void clamp(T* y, const T* x, T low, T high, int64_t n, Stream stream) {
    map(stream, y, n, [=](int64_t e) { return math::clamp(x[e], low, high); });
}

template <class T>
void clamp_grad(T* dx, const T* x, const T* dy, T low, T high, int64_t n, Stream stream) {
    map(stream, dx, n, [=](int64_t e) { return (x[e] >= low) & (x[e] <= high) ? dy[e] : T(0); });
}

template <class T>
void activation(T* y, const T* x, Activation act, int64_t n, Stream stream) {
    with_any_activation(act, [=](auto a) { map(stream, y, n, [=](int64_t e) { return activate_any(x[e], a); }); });
}

template <class T>
void activation_grad(T* dx, const T* y, const T* dy, Activation act, int64_t n, Stream stream) {
    with_any_activation(act, [=](auto a) { map(stream, dx, n, [=](int64_t e) { return gradient_at(y, dy, e, a); }); });
}

template <class T>
void interpolate(T* y, const T* real_rows, const T* fake, const T* weight, const RowsShape& s, Stream stream) {
    const int64_t cols = s.cols;
    for_segments(stream, s.size(), cols, [=](int64_t first, int64_t, int64_t length) {
        const T w = weight[first / cols];
#pragma omp simd
        for (int64_t e = first; e < first + length; ++e) y[e] = fake[e] + w * (real_rows[e] - fake[e]);
    });
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/pointwise.inl"
#include "kernels/cpu/instantiate.inl"
