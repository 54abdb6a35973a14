// Losses over the scores of a batch, and the norm of a gradient. Scores are few: a loss is one or two small launches, bound by
// launch latency (3 us on an H100). The norm reads 4 bytes per parameter and computes in double. Expected: bound by memory (85 %
// of an H100's 3.35 TB/s) on GPUs with fast doubles, and by double-precision arithmetic (two instructions per element) on GPUs
// with one double unit per 64 float units.
#include "kernels/kernels.h"

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/rows.h"

namespace gannet::kernels::cuda {
namespace {

template <class T, class F>
struct LossMean {
    F form;
    int64_t n;
    const T* plus;
    __device__ T term(T x) const { return loss_value(x, form); }
    __device__ T finish(T total) const { return (plus ? plus[0] : T(0)) + (n > 0 ? form.weight * (total / T(n)) : T(0)); }
};
struct DoubleNorm {
    __device__ double term(auto v) const { return double(v) * double(v); }
    __device__ double finish(double total) const { return math::sqrt(total); }
};

template <class T, class F>
__global__ void __launch_bounds__(map_threads, map_blocks)
    loss_grad_kernel(T* __restrict__ dx, const T* __restrict__ x, const T* __restrict__ dout, F form, int64_t n, bool wide) {
    const T scale = dout[0] * form.weight / T(n);
    map(
        dx, n, wide, [=](T v) { return scale * loss_derivative(v, form); }, x);
}

// One warp per row. The largest score does not depend on the order of the lanes.
template <class T>
__global__ void __launch_bounds__(256, min_blocks(256, 64))
    log_sums_kernel(T* log_sums, T* losses, const T* x, const T* labels, RowsShape s) {
    const int64_t row = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
    if (row >= s.rows) return;
    const int lane = int(threadIdx.x) % warp_size;
    x += row * s.cols;
    T most = x[lane < s.cols ? lane : 0];
    for (int64_t j = lane + warp_size; j < s.cols; j += warp_size) most = x[j] > most ? x[j] : most;
    for (int distance = warp_size / 2; distance > 0; distance /= 2) {
        const T other = __shfl_xor_sync(all_lanes, most, distance);
        most = other > most ? other : most;
    }
    T sum = 0;
    for (int64_t j = lane; j < s.cols; j += warp_size) sum += math::exp(x[j] - most);
    sum = warp_sum(sum);
    if (lane > 0) return;
    const T log_sum = most + math::log(sum);
    log_sums[row] = log_sum;
    losses[row] = log_sum - x[int64_t(labels[row])];
}

template <class T>
__global__ void __launch_bounds__(row_threads, min_blocks(row_threads, 64))
    cross_entropy_kernel(T* out, const T* losses, int64_t rows) {
    T total = 0;
    for (int64_t i = threadIdx.x; i < rows; i += row_threads) total += losses[i];
    total = row_sum(total, row_threads, shared<RowSums<T>>());
    if (threadIdx.x == 0) out[0] = rows > 0 ? total / T(rows) : T(0);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    cross_entropy_grad_kernel(T* __restrict__ dx, const T* __restrict__ x, const T* __restrict__ labels,
                              const T* __restrict__ log_sums, const T* __restrict__ dout, RowsShape s) {
    const int64_t e = int64_t(blockIdx.x) * map_threads + threadIdx.x;
    if (e >= s.rows * s.cols) return;
    const int64_t row = e / s.cols, column = e - row * s.cols;
    const T share = math::exp(x[e] - log_sums[row]), target = column == int64_t(labels[row]) ? T(1) : T(0);
    dx[e] = dout[0] / T(s.rows) * (share - target);
}

}  // namespace

template <class T>
void loss(T* out, const T* x, const T* plus, const LossForm& form, int64_t n, Stream stream) {
    with_loss(form, [&](auto f) {
        sum_of_rows<T>("loss", out, x, {1, n}, aligned(x), LossMean<T, decltype(f)>{f, n, plus}, stream);
    });
}

template <class T>
void loss_grad(T* dx, const T* x, const T* dout, const LossForm& form, int64_t n, Stream stream) {
    with_loss(form, [&](auto f) {
        launch_map<T>("loss_grad", loss_grad_kernel<T, decltype(f)>, n, stream, dx, x, dout, f, n, aligned(dx, x));
    });
}

template <class T>
void cross_entropy(T* out, T* log_sums, const T* x, const T* labels, const RowsShape& s, Stream stream) {
    const Scratch losses(std::size_t(s.rows) * sizeof(T), stream);
    if (s.rows > 0)
        launch("log_sums", log_sums_kernel<T>, {dim3(unsigned(divide_up(s.rows, 256 / warp_size))), dim3(256)}, stream, log_sums,
               losses.as<T>(), x, labels, s);
    launch("cross_entropy", cross_entropy_kernel<T>, {dim3(1), dim3(row_threads)}, stream, out, losses.as<T>(), s.rows);
}

template <class T>
void cross_entropy_grad(T* dx, const T* x, const T* labels, const T* log_sums, const T* dout, const RowsShape& s, Stream stream) {
    if (s.size() <= 0) return;
    launch("cross_entropy_grad", cross_entropy_grad_kernel<T>,
           {dim3(unsigned(divide_up(s.size(), map_threads))), dim3(map_threads)}, stream, dx, x, labels, log_sums, dout, s);
}

// Computed in double, because squares of large gradients overflow float.
template <class T>
void norm2(T* out, const T* x, int64_t n, Stream stream) {
    sum_of_rows<double>("norm2", out, x, {1, n}, aligned(x), DoubleNorm{}, stream);
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/loss.inl"
#include "kernels/cuda/instantiate.inl"
