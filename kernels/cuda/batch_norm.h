// The kernels of batch norm; launched in norm.cu.
#pragma once
#include "kernels/cuda/columns.h"
#include "kernels/cuda/moments.h"

namespace gannet::kernels::cuda {

// The moments of a slice, which are the result if there is only one slice. The means of the threads are relative to the first row
// of the slice.
template <class T, int width>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    moments_kernel(real* mean_var, double* partial, const T* x, ColumnCut c, int64_t rows) {
    auto& sums = shared<ColumnSums<real, width, 1>>();
    const ColumnThread<width> p(c);
    const int64_t first = blockIdx.y * c.slice_rows, last = min(c.rows, first + c.slice_rows);
    const T* origin = x + first * c.cols;
    const real count = real(p.steps()), all = real(last > first ? (last - first) * c.fold : 1);
    Deviations<real, width> m;
    if (count > 0) m.first = load_pack<width>(x + p.begin * c.cols + p.column);
    p.template for_rows<4>([=](int64_t e, int64_t) { return load_pack<width>(x + e); },
                           [&](const Pack<T, width>& v, int64_t) { m.add(v); });
    m.finish(count);
    Pack<real, width> base = {}, mean, total;
    if (count > 0) base = p.load(origin);
#pragma unroll
    for (int k = 0; k < width; ++k) mean[k] = m.first[k] - base[k] + m.sum[k];
#pragma unroll
    for (int k = 0; k < width; ++k) total[k] = count * mean[k];
    add_columns(sums, {total}, p);
    const int t = int(threadIdx.x);
    const real about = t < p.tile_size() ? sums.totals[0][t] / all : real(0);
    if (count > 0) total = p.pick(sums.totals[0]);
#pragma unroll
    for (int k = 0; k < width; ++k) {
        const real delta = mean[k] - total[k] / all;
        total[k] = m.squares[k] + count * delta * delta;
    }
    add_columns(sums, {total}, p);
    if (t >= p.tile_size()) return;
    const int64_t j = p.tile + t;
    const double of_slice = last > first ? double(origin[j]) + double(about) : 0, deviations = double(sums.totals[0][t]);
    if (c.slices > 1) {
        partial[int64_t(2 * blockIdx.y) * c.columns + j] = of_slice;
        partial[int64_t(2 * blockIdx.y + 1) * c.columns + j] = deviations;
    } else {
        mean_var[j] = real(of_slice);
        mean_var[c.columns + j] = real(deviations / double(rows > 0 ? rows : 1));
    }
}

template <class T, int width, class A>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    batch_norm_kernel(T* __restrict__ y, const T* __restrict__ x, const real* __restrict__ mean_var, const T* __restrict__ gamma,
                      const T* __restrict__ beta, ColumnCut c, real eps, A act) {
    const ColumnThread<width> p(c);
    if (!p.active) return;
    const Pack<real, width> mean = p.load(mean_var), var = p.load(mean_var + c.columns);
    Pack<T, width> factor = {}, shift = {};
    if (gamma) factor = p.load(gamma);
    if (beta) shift = p.load(beta);
    Pack<real, width> scale;
#pragma unroll
    for (int k = 0; k < width; ++k) scale[k] = (gamma ? real(factor[k]) : real(1)) / math::sqrt(var[k] + eps);
    p.template for_rows<4>([=](int64_t e, int64_t) { return load_pack<width>(x + e); },
                           [=](const Pack<T, width>& v, int64_t e) {
                               Pack<T, width> out;
#pragma unroll
                               for (int k = 0; k < width; ++k) out[k] = activate((v[k] - mean[k]) * scale[k] + shift[k], act);
                               store_pack(y + e, out);
                           });
}

// ---- gradient ----------------------------------------------------------------------------------------------------------

template <class T>
struct BatchNormGrad {
    T *dx, *dgamma, *dbeta;
    const T *x, *y, *dy;
    const real* mean_var;
    const T* gamma;
    real rows, eps;
};

template <class T, int width>
struct NormInputs {
    Pack<T, width> x;
    OutputGradient<T, width> z;
};

// The first pass: column sums of dz and dz (x - mean) over the slice of the block.
template <class T, int width, class A>
__device__ __forceinline__ void sum_batch_norm_grad(ColumnSums<real, width, 2>& sums, const BatchNormGrad<T>& g, A act,
                                                    const ColumnThread<width>& p) {
    Pack<real, width> mean = {}, total[2] = {};
    if (p.active) mean = p.load(g.mean_var);
    p.template for_rows<2>(
        [&](int64_t e, int64_t) {
            return NormInputs<T, width>{load_pack<width>(g.x + e), OutputGradient<T, width>::load(g.y, g.dy, e, act)};
        },
        [&](const NormInputs<T, width>& in, int64_t) {
#pragma unroll
            for (int k = 0; k < width; ++k) {
                const real dz = in.z.at(k, act);
                total[0][k] += dz;
                total[1][k] += dz * (in.x[k] - mean[k]);
            }
        });
    add_columns(sums, total, p);
}

// The second pass: dx of the thread's rows, from these sums over all rows; dgamma and dbeta of the tile.
template <class T, int width, class A>
__device__ __forceinline__ void finish_batch_norm_grad(const real* sum_dz, const real* sum_dzx, const BatchNormGrad<T>& g, A act,
                                                       const ColumnThread<width>& p) {
    const int t = int(threadIdx.x);
    const real* vars = g.mean_var + p.c.columns;
    if (blockIdx.y == 0 && t < p.tile_size()) {
        const int64_t j = p.tile + t;
        if (g.dbeta) g.dbeta[j] = sum_dz[t];
        if (g.dgamma) g.dgamma[j] = sum_dzx[t] * (1 / math::sqrt(vars[j] + g.eps));
    }
    if (!p.active) return;
    // dx = gamma rstd (dz - mean(dz) - xhat mean(dz xhat)) = a dz - (b + d (x - mean))
    const Pack<real, width> mean = p.load(g.mean_var), var = p.load(vars);
    Pack<T, width> factor = {};
    if (g.gamma) factor = p.load(g.gamma);
    Pack<real, width> a, b = p.pick(sum_dz), d = p.pick(sum_dzx);
#pragma unroll
    for (int k = 0; k < width; ++k) {
        const real rstd = 1 / math::sqrt(var[k] + g.eps);
        a[k] = (g.gamma ? real(factor[k]) : real(1)) * rstd;
        b[k] = a[k] * b[k] / g.rows;
        d[k] = a[k] * rstd * (d[k] * rstd) / g.rows;
    }
    p.template for_rows<2>(
        [&](int64_t e, int64_t) {
            return NormInputs<T, width>{load_pack<width>(g.x + e), OutputGradient<T, width>::load(g.y, g.dy, e, act)};
        },
        [&](const NormInputs<T, width>& in, int64_t e) {
            Pack<T, width> out;
#pragma unroll
            for (int k = 0; k < width; ++k) out[k] = a[k] * in.z.at(k, act) - (b[k] + d[k] * (in.x[k] - mean[k]));
            store_pack(g.dx + e, out);
        });
}

template <class T, int width, class A>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    batch_norm_grad_sums_kernel(real* partial, BatchNormGrad<T> g, ColumnCut c, A act) {
    auto& sums = shared<ColumnSums<real, width, 2>>();
    const ColumnThread<width> p(c);
    sum_batch_norm_grad(sums, g, act, p);
    store_slice(partial, sums, p);
}

// Every block adds the slices of its columns again, because there are few slices.
template <class T, int width, class A>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    batch_norm_grad_kernel(const real* partial, BatchNormGrad<T> g, ColumnCut c, A act) {
    auto& sums = shared<SliceSums<real, 2>>();
    const ColumnThread<width> p(c);
    merge_slices(sums, p.tile, p.tile_size(), c.slices, partial, c.columns);
    finish_batch_norm_grad(sums.totals[0], sums.totals[1], g, act, p);
}

// Both passes in one kernel, if there is only one slice.
template <class T, int width, class A>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 128))
    batch_norm_grad_slice_kernel(BatchNormGrad<T> g, ColumnCut c, A act) {
    auto& sums = shared<ColumnSums<real, width, 2>>();
    const ColumnThread<width> p(c);
    sum_batch_norm_grad(sums, g, act, p);
    finish_batch_norm_grad(sums.totals[0], sums.totals[1], g, act, p);
}

}  // namespace gannet::kernels::cuda
