// Losses over the scores of a batch, and the norm of a gradient. Scores are few: a loss is one small launch, bound by its latency
// (3 us on an H100). The norm reads 4 bytes per parameter, in double: bound by memory (85 % of an H100's 3.35 TB/s) where doubles
// are fast, by them (two instructions per element) on cards that have one such unit for 64 of float.
#include "kernels/kernels.h"

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/rows.h"

namespace gannet::kernels::cuda {
namespace {

template <class T, class F>
struct LossMean {
    F form;
    int64_t n;
    __device__ T term(T x) const { return loss_value(x, form); }
    __device__ T finish(T total) const { return n > 0 ? total / T(n) : T(0); }
};
struct DoubleNorm {
    template <class T>
    __device__ double term(T v) const {
        return double(v) * double(v);
    }
    __device__ double finish(double total) const { return math::sqrt(total); }
};

template <class T, int width, class F>
__global__ void __launch_bounds__(256) loss_kernel(T* out, T* partial, const T* x, RowCut c, LossMean<T, F> mean) {
    add_rows<width>(out, partial, x, c, mean, shared<RowSums<T>>());
}

template <class T, class F>
__global__ void __launch_bounds__(map_threads, map_blocks)  // at most 64 registers
    loss_grad_kernel(T* __restrict__ dx, const T* __restrict__ x, const T* __restrict__ dout, F form, int64_t n, bool wide) {
    const T scale = dout[0] / T(n);
    map(
        dx, n, wide, [=](T v) { return scale * loss_derivative(v, form); }, x);
}

template <class T, int width>
__global__ void __launch_bounds__(256) norm2_kernel(T* out, double* partial, const T* x, RowCut c) {
    add_rows<width>(out, partial, x, c, DoubleNorm{}, shared<RowSums<double>>());
}

}  // namespace

template <class T>
void loss(T* out, const T* x, const LossForm& form, int64_t n, Stream stream) {
    with_width<T>(aligned(x), [&](auto width) {
        with_loss(form, [&](auto f) {
            const RowCut c = cut_rows(RowsShape{1, n}, width);
            const LossMean<T, decltype(f)> mean{f, n};
            const Scratch partial(c.partial_bytes<T>());
            launch("loss", loss_kernel<T, width, decltype(f)>, c.grid(), stream, out, partial.as<T>(), x, c, mean);
            merge_rows(out, partial.as<T>(), c, mean, stream);
        });
    });
}

template <class T>
void loss_grad(T* dx, const T* x, const T* dout, const LossForm& form, int64_t n, Stream stream) {
    with_loss(form, [&](auto f) {
        launch_map<T>("loss_grad", loss_grad_kernel<T, decltype(f)>, n, stream, dx, x, dout, f, n, aligned(dx, x));
    });
}

// In double: squares of large gradients would leave the range of float.
template <class T>
void norm2(T* out, const T* x, int64_t n, Stream stream) {
    with_width<T>(aligned(x), [&](auto width) {
        const RowCut c = cut_rows(RowsShape{1, n}, width);
        const Scratch partial(c.partial_bytes<double>());
        launch("norm2", norm2_kernel<T, width>, c.grid(), stream, out, partial.as<double>(), x, c);
        merge_rows(out, partial.as<double>(), c, DoubleNorm{}, stream);
    });
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/loss.inl"
#include "kernels/cuda/instantiate.inl"
