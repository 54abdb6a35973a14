// Elementwise kernels. All are bound by memory: per element, 4 bytes are read per input and 4 bytes are written, in 16-byte
// accesses. Expected: 85 to 92 % of an H100's 3.35 TB/s if the tensors are much larger than its L2 cache. exp, tanh and similar
// functions need 35 to 60 instructions per element (kernels/math.h), which take less time than the accesses; softplus needs 85,
// which take about as long.
#include "kernels/kernels.h"

#include "kernels/cuda/elementwise.h"
#include "kernels/math.h"

namespace gannet::kernels::cuda {
namespace {

// Each kernel has at most 40 registers; most have few enough for full occupancy.

template <class T>
struct Constant {
    T value;
    __device__ T operator()() const { return value; }
};
struct Identity {
    __device__ auto operator()(auto v) const { return v; }
};
struct Subtract {
    __device__ auto operator()(auto u, auto v) const { return u - v; }
};
struct Multiply {
    __device__ auto operator()(auto u, auto v) const { return u * v; }
};
struct Divide {
    __device__ auto operator()(auto u, auto v) const { return u / v; }
};
template <class T>
struct Affine {
    T scale, offset;
    __device__ T operator()(T v) const { return scale * v + offset; }
};
struct Exp {
    __device__ auto operator()(auto v) const { return math::exp(v); }
};
struct Log {
    __device__ auto operator()(auto v) const { return math::log(v); }
};
struct Sqrt {
    __device__ auto operator()(auto v) const { return math::sqrt(v); }
};
struct Softplus {
    __device__ auto operator()(auto v) const { return math::softplus(v); }
};
template <class T>
struct ClampGrad {
    T low, high;
    __device__ T operator()(T v, T d) const { return v >= low && v <= high ? d : T(0); }
};
template <class A>
struct Activate {
    A act;
    __device__ auto operator()(auto v) const { return activate_any(v, act); }
};
template <class A>
struct ActivationGrad {
    A act;
    __device__ auto operator()(auto v, auto d) const { return gradient_of_any(v, d, act); }
};

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
    launch_map("fill", Constant<T>{value}, y, n, stream);
}

template <class T>
void copy(T* y, const T* x, int64_t n, Stream stream) {
    launch_map("copy", Identity{}, y, n, stream, x);
}

template <class T>
void add(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    launch_map("add", Add{}, y, n, stream, a, b);
}

template <class T>
void sub(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    launch_map("sub", Subtract{}, y, n, stream, a, b);
}

template <class T>
void mul(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    launch_map("mul", Multiply{}, y, n, stream, a, b);
}

template <class T>
void div(T* y, const T* a, const T* b, int64_t n, Stream stream) {
    launch_map("div", Divide{}, y, n, stream, a, b);
}

template <class T>
void affine(T* y, const T* x, T scale, T offset, int64_t n, Stream stream) {
    launch_map("affine", Affine<T>{scale, offset}, y, n, stream, x);
}

template <class T>
void exp(T* y, const T* x, int64_t n, Stream stream) {
    launch_map("exp", Exp{}, y, n, stream, x);
}

template <class T>
void log(T* y, const T* x, int64_t n, Stream stream) {
    launch_map("log", Log{}, y, n, stream, x);
}

template <class T>
void sqrt(T* y, const T* x, int64_t n, Stream stream) {
    launch_map("sqrt", Sqrt{}, y, n, stream, x);
}

template <class T>
void softplus(T* y, const T* x, int64_t n, Stream stream) {
    launch_map("softplus", Softplus{}, y, n, stream, x);
}

template <class T>
void clamp(T* y, const T* x, T low, T high, int64_t n, Stream stream) {
    launch_map("clamp", Clamp<T>{low, high}, y, n, stream, x);
}

template <class T>
void clamp_grad(T* dx, const T* x, const T* dy, T low, T high, int64_t n, Stream stream) {
    launch_map("clamp_grad", ClampGrad<T>{low, high}, dx, n, stream, x, dy);
}

template <class T>
void activation(T* y, const T* x, Activation act, int64_t n, Stream stream) {
    with_any_activation(act, [&](auto a) { launch_map("activation", Activate<decltype(a)>{a}, y, n, stream, x); });
}

template <class T>
void activation_grad(T* dx, const T* y, const T* dy, Activation act, int64_t n, Stream stream) {
    with_any_activation(act, [&]<ActivationKind K>(StaticActivation<K> a) {
        if constexpr (K == ActivationKind::none) launch_map("activation_grad", Identity{}, dx, n, stream, dy);  // y may be null
        else launch_map("activation_grad", ActivationGrad<decltype(a)>{a}, dx, n, stream, y, dy);
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
