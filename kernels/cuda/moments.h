// Moments in one pass over the data. The means and squared deviations of threads, and then of slices, are combined by the rule of
// Chan, Golub and LeVeque (1979).
#pragma once
#include "kernels/cuda/columns.h"
#include "kernels/cuda/scratch.h"

namespace gannet::kernels::cuda {

// The values of a thread, in `width` sequences: the sum of their deviations from the first value, and the sum of the squared
// deviations. The subtraction in finish() loses few digits, because the first value alone contributes (first - mean)^2 to the
// result.
template <class T, int width>
struct Deviations {
    Pack<T, width> first = {}, sum = {}, squares = {};

    __device__ __forceinline__ void add(const Pack<T, width>& values) {
#pragma unroll
        for (int k = 0; k < width; ++k) {
            const T d = values[k] - first[k];
            sum[k] += d;
            squares[k] += d * d;
        }
    }

    // Called after the last of `count` values. Makes `sum` the mean minus the first value, and `squares` the sum of squared
    // deviations from the mean.
    __device__ __forceinline__ void finish(T count) {
#pragma unroll
        for (int k = 0; k < width; ++k) {
            const T shift = count > 0 ? sum[k] / count : T(0), about = squares[k] - sum[k] * shift;
            sum[k] = shift;
            squares[k] = about < 0 ? T(0) : about;  // NaN passes
        }
    }
};

// Slices of rows: partial[(2 i + k) * cols + j] is the mean (k = 0) or sum of squared deviations (k = 1) of column j in slice i.
struct MomentSlices {
    int64_t rows = 0, cols = 0, slice_rows = 0;
    int32_t slices = 0;
    __device__ double count(int slice) const { return double(min(slice_rows, rows - slice * slice_rows)); }
};

// A block combines the slices of 32 columns: first the mean of the means, then the deviations from it. In double, because the
// difference of two means cancels.
template <class T>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    merge_moments_kernel(T* mean_var, const double* partial, MomentSlices s) {
    auto& sums = shared<SliceSums<double, 1>>();
    const int64_t cols = s.cols, tile = int64_t(blockIdx.x) * tile_columns;
    const int size = int(min(int64_t(tile_columns), cols - tile)), j = int(threadIdx.x) % tile_columns;
    merge_slices(sums, tile, size, s.slices,
                 [=](int, int i, int64_t column) { return s.count(i) * partial[2 * i * cols + column]; });
    const double mean = sums.totals[0][j] / double(s.rows);
    merge_slices(sums, tile, size, s.slices, [=](int, int i, int64_t column) {
        const double delta = partial[2 * i * cols + column] - mean;
        return partial[(2 * i + 1) * cols + column] + s.count(i) * delta * delta;
    });
    if (int(threadIdx.x) >= size) return;
    mean_var[tile + j] = T(mean);
    mean_var[cols + tile + j] = T(sums.totals[0][j] / double(s.rows));
}

template <class T>
void merge_moments(T* mean_var, const double* partial, const MomentSlices& s, Stream stream) {
    launch("merge_moments", merge_moments_kernel<T>, {dim3(unsigned(divide_up(s.cols, tile_columns))), dim3(column_threads)},
           stream, mean_var, partial, s);
}

}  // namespace gannet::kernels::cuda
