// The kernels of layer norm; launched in norm.cu.
#pragma once
#include "kernels/cuda/columns.h"
#include "kernels/cuda/moments.h"
#include "kernels/cuda/rows.h"

namespace gannet::kernels::cuda {

template <class T, int width, class A>
__global__ void __launch_bounds__(row_threads, min_blocks(row_threads, 64))
    layer_norm_kernel(T* __restrict__ y, real* __restrict__ mean_rstd, const T* __restrict__ x, const T* __restrict__ gamma,
                      const T* __restrict__ beta, RowCut c, real eps, A act) {
    auto& sums = shared<RowSums<real>>();
    const RowThread p(c);
    const int64_t step = c.lanes * width, begin = p.lane * width;
    const T* row = x + p.row * c.cols;
    const real count = real(p.steps(width)), all = real(c.cols > 0 ? c.cols : 1);
    Deviations<real, width> m;
    if (count > 0) m.first = load_pack<width>(row + begin);
#pragma unroll 4
    for (int64_t j = begin; j < p.end; j += step) m.add(load_pack<width>(row + j));
    m.finish(count);
    Pack<real, width> total;
#pragma unroll
    for (int k = 0; k < width; ++k) total[k] = count * (m.first[k] + m.sum[k]);
    const real mean = row_sum(sum_of(total), c.lanes, sums) / all;
#pragma unroll
    for (int k = 0; k < width; ++k) {
        const real delta = m.first[k] + m.sum[k] - mean;
        total[k] = m.squares[k] + count * delta * delta;
    }
    const real var = row_sum(sum_of(total), c.lanes, sums) / all;
    const real rstd = 1 / math::sqrt(var + eps);
    if (!p.active) return;

    if (p.lane == 0) {
        mean_rstd[p.row] = mean;
        mean_rstd[c.rows + p.row] = rstd;
    }
    T* out = y + p.row * c.cols;
#pragma unroll 2
    for (int64_t j = begin; j < p.end; j += step) {
        Pack<T, width> v = load_pack<width>(row + j), scale = {}, offset = {};
        if (gamma) scale = load_any<width>(gamma + j);
        if (beta) offset = load_any<width>(beta + j);
#pragma unroll
        for (int k = 0; k < width; ++k) {
            real z = (v[k] - mean) * rstd;
            if (gamma) z *= scale[k];
            if (beta) z += offset[k];
            v[k] = activate(z, act);
        }
        store_pack(out + j, v);
    }
}

// ---- gradient ----------------------------------------------------------------------------------------------------------

template <class T>
struct LayerNormGrad {
    T *dx, *dgamma, *dbeta;
    const T *x, *y, *dy;
    const real* mean_rstd;
    const T* gamma;
};

// dgamma and dbeta of column j.
template <class T>
__device__ __forceinline__ void store_affine_grad(const LayerNormGrad<T>& g, int64_t j, real sum_dz, real sum_dz_xhat) {
    if (g.dbeta) g.dbeta[j] = sum_dz;
    if (g.dgamma) g.dgamma[j] = sum_dz_xhat;
}

// First launch, if dgamma or dbeta is requested: column sums of dz and dz xhat over a slice.
template <class T, int width, class A>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    layer_norm_grad_sums_kernel(real* partial, LayerNormGrad<T> g, ColumnCut c, A act) {
    struct In {
        Pack<T, width> x;
        OutputGradient<T, width> z;
        real mean, rstd;
    };
    auto& sums = shared<ColumnSums<real, width, 2>>();
    const ColumnThread<width> p(c);
    Pack<real, width> total[2] = {};
    p.template for_rows<2>(
        [&](int64_t e, int64_t i) {
            return In{load_pack<width>(g.x + e), OutputGradient<T, width>::load(g.y, g.dy, e, act), g.mean_rstd[i],
                      g.mean_rstd[c.rows + i]};
        },
        [&](const In& in, int64_t) {
#pragma unroll
            for (int k = 0; k < width; ++k) {
                const real dz = in.z.at(k, act);
                total[0][k] += dz;
                total[1][k] += dz * ((in.x[k] - in.mean) * in.rstd);
            }
        });
    add_columns(sums, total, p);
    const int t = int(threadIdx.x);
    if (c.slices > 1) store_slice(partial, sums, p);
    else if (t < p.tile_size()) store_affine_grad(g, p.tile + t, sums.totals[0][t], sums.totals[1][t]);
}

struct LayerNormGradShared {
    RowSums<real> rows;
    SliceSums<real, 2> slices;
};

// Second launch: the first row_blocks blocks compute dx; each of the others adds the slices of 32 columns.
template <class T, int width, class A>
__global__ void __launch_bounds__(row_threads, min_blocks(row_threads, 64))
    layer_norm_grad_kernel(const real* partial, LayerNormGrad<T> g, RowCut c, int64_t row_blocks, int slices, A act) {
    auto& memory = shared<LayerNormGradShared>();
    if (blockIdx.x >= row_blocks) {
        const int64_t tile = (blockIdx.x - row_blocks) * tile_columns;
        const int t = int(threadIdx.x), size = int(min(int64_t(tile_columns), c.cols - tile));
        merge_slices(memory.slices, tile, size, slices, partial, c.cols);
        if (t < size) store_affine_grad(g, tile + t, memory.slices.totals[0][t], memory.slices.totals[1][t]);
        return;
    }
    const RowThread p(c);
    const int64_t step = c.lanes * width, begin = p.lane * width, first = p.row * c.cols;
    const real mean = p.active ? g.mean_rstd[p.row] : real(0), rstd = p.active ? g.mean_rstd[c.rows + p.row] : real(0);
    // dz gamma and xhat of the columns from j on
    struct Terms {
        Pack<real, width> dz, xhat;
    };
    const auto terms = [&](int64_t j) {
        Terms at;
        const Pack<T, width> x = load_pack<width>(g.x + first + j);
        const auto z = OutputGradient<T, width>::load(g.y, g.dy, first + j, act);
        Pack<T, width> factor = {};
        if (g.gamma) factor = load_any<width>(g.gamma + j);
#pragma unroll
        for (int k = 0; k < width; ++k) {
            at.dz[k] = z.at(k, act) * (g.gamma ? real(factor[k]) : real(1));
            at.xhat[k] = (x[k] - mean) * rstd;
        }
        return at;
    };
    Pack<real, width> sum_dz = {}, sum_dzx = {};
#pragma unroll 2
    for (int64_t j = begin; j < p.end; j += step) {
        const Terms at = terms(j);
#pragma unroll
        for (int k = 0; k < width; ++k) {
            sum_dz[k] += at.dz[k];
            sum_dzx[k] += at.dz[k] * at.xhat[k];
        }
    }
    const real mean_dz = row_sum(sum_of(sum_dz), c.lanes, memory.rows) / real(c.cols);
    const real mean_dzx = row_sum(sum_of(sum_dzx), c.lanes, memory.rows) / real(c.cols);
#pragma unroll 2
    for (int64_t j = begin; j < p.end; j += step) {
        const Terms at = terms(j);
        Pack<T, width> out;
#pragma unroll
        for (int k = 0; k < width; ++k) out[k] = rstd * ((at.dz[k] - mean_dz) - at.xhat[k] * mean_dzx);
        store_pack(g.dx + first + j, out);
    }
}

}  // namespace gannet::kernels::cuda
