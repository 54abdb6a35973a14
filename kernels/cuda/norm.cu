// Batch and layer normalisation. Bound by memory: 4 bytes per element and array, 3 to 8 flops. Batch norm reads x once for the
// moments and once to normalise; its gradient reads x, y and dy twice (sums, then dx), the second time from L2 if they fit (50 MB
// on an H100). Layer norm reads a row twice, the second time from L1 or L2. Expected: 80 to 90 % of an H100's 3.35 TB/s from some
// 10 MB on; below 1 MB, bound by launch latency (3 us each).
#include <algorithm>

#include "kernels/kernels.h"

#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/layer_norm.h"
#include "kernels/cuda/scratch.h"

namespace gannet::kernels::cuda {

template <class T>
void moments(real* mean_var, const T* x, const RowsShape& s, Stream stream) {
    if (s.cols <= 0) return;
    with_width<T>(aligned(x) && fits_columns<widest<T>>(s), [&](auto width) {
        const ColumnCut c = cut_columns<width>(s, ColumnUse::sums);
        const Scratch partial(c.partial_bytes<double>(2), stream);
        launch("moments", moments_kernel<T, width>, c.grid(), stream, mean_var, partial.as<double>(), x, c, s.rows);
        if (c.slices > 1)
            merge_moments(mean_var, partial.as<double>(), MomentSlices{s.rows, s.cols, c.slice_rows * c.fold, c.slices}, stream);
    });
}

template <class T>
void batch_norm(T* y, const T* x, const real* mean_var, const T* gamma, const T* beta, const RowsShape& s, real eps,
                Activation act, Stream stream) {
    if (s.size() <= 0) return;
    with_width<T>(aligned(y, x) && fits_columns<widest<T>>(s), act, [&](auto width, auto a) {
        const ColumnCut c = cut_columns<width>(s, ColumnUse::pass);
        launch("batch_norm", batch_norm_kernel<T, width, decltype(a)>, c.grid(), stream, y, x, mean_var, gamma, beta, c, eps, a);
    });
}

template <class T>
void batch_norm_grad(T* dx, T* dgamma, T* dbeta, const T* x, const T* y, const T* dy, const real* mean_var, const T* gamma,
                     const RowsShape& s, real eps, Activation act, Stream stream) {
    if (s.cols <= 0) return;
    if (act.kind == ActivationKind::none) y = nullptr;
    const BatchNormGrad<T> g{dx, dgamma, dbeta, x, y, dy, mean_var, gamma, real(s.rows), eps};
    with_width<T>(aligned(dx, x, y, dy) && fits_columns<widest<T>>(s), act, [&](auto width, auto a) {
        using A = decltype(a);
        const ColumnCut c = cut_columns<width>(s, ColumnUse::sums);
        if (c.slices == 1) return launch("batch_norm_grad", batch_norm_grad_slice_kernel<T, width, A>, c.grid(), stream, g, c, a);
        const Scratch partial(c.partial_bytes<real>(2), stream);
        launch("batch_norm_grad_sums", batch_norm_grad_sums_kernel<T, width, A>, c.grid(), stream, partial.as<real>(), g, c, a);
        launch("batch_norm_grad", batch_norm_grad_kernel<T, width, A>, c.grid(), stream, partial.as<real>(), g, c, a);
    });
}

namespace {

struct RunningStatsList {
    RunningStats entries[most_running_stats];
};

__global__ void __launch_bounds__(256, min_blocks(256, 64))
    running_stats_update_kernel(const __grid_constant__ RunningStatsList all) {
    const RunningStats& r = all.entries[blockIdx.y];
    const int64_t j = int64_t(blockIdx.x) * blockDim.x + threadIdx.x, cols = r.shape.cols;
    if (j >= cols) return;
    r.running[j] = (1 - r.momentum) * r.running[j] + r.momentum * r.mean_var[j];
    r.running[cols + j] = (1 - r.momentum) * r.running[cols + j] + r.momentum * (r.unbiased() * r.mean_var[cols + j]);
}

}  // namespace

void running_stats_update(const RunningStats* stats, int64_t count, Stream stream) {
    RunningStatsList all;
    int64_t cols = 0;
    for (int64_t i = 0; i < count; ++i) {
        all.entries[i] = stats[i];
        cols = std::max(cols, stats[i].shape.cols);
    }
    if (cols <= 0) return;
    launch("running_stats_update", running_stats_update_kernel,
           {dim3(unsigned(divide_up(cols, 256)), unsigned(count)), dim3(256)}, stream, all);
}

template <class T>
void layer_norm(T* y, real* mean_rstd, const T* x, const T* gamma, const T* beta, const RowsShape& s, real eps, Activation act,
                Stream stream) {
    if (s.rows <= 0) return;
    with_width<T>(aligned(y, x) && s.cols % widest<T> == 0, act, [&](auto width, auto a) {
        const RowCut c = cut_rows(s, width, false);
        launch("layer_norm", layer_norm_kernel<T, width, decltype(a)>, c.grid(), stream, y, mean_rstd, x, gamma, beta, c, eps, a);
    });
}

template <class T>
void layer_norm_grad(T* dx, T* dgamma, T* dbeta, const T* x, const T* y, const T* dy, const real* mean_rstd, const T* gamma,
                     const RowsShape& s, Activation act, Stream stream) {
    if (s.cols <= 0) return;
    if (act.kind == ActivationKind::none) y = nullptr;
    const LayerNormGrad<T> g{dx, dgamma, dbeta, x, y, dy, mean_rstd, gamma};
    with_width<T>(aligned(dx, x, y, dy) && s.cols % widest<T> == 0, act, [&](auto width, auto a) {
        using A = decltype(a);
        const bool sums = dgamma || dbeta;
        const ColumnCut c = cut_columns<width>(s, ColumnUse::sums);
        const Scratch partial(sums ? c.partial_bytes<real>(2) : 0, stream);
        if (sums)
            launch("layer_norm_grad_sums", layer_norm_grad_sums_kernel<T, width, A>, c.grid(), stream, partial.as<real>(), g, c,
                   a);
        const RowCut rows = cut_rows(s, width, false);
        Grid grid = rows.grid();
        if (sums && c.slices > 1) grid.blocks.x += unsigned(divide_up(s.cols, tile_columns));
        if (s.rows > 0)
            launch("layer_norm_grad", layer_norm_grad_kernel<T, width, A>, grid, stream, partial.as<real>(), g, rows,
                   rows.blocks(), c.slices, a);
    });
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/norm.inl"
#include "kernels/cuda/instantiate.inl"
