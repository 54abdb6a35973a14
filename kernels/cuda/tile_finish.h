// The kernels that finish the output of tiles: they add the partial sums of slices and compute the moments of columns. Bound by
// memory: each partial sum is read once.
#pragma once
#include <algorithm>

#include "kernels/cuda/scratch.h"
#include "kernels/cuda/tile_output.h"

namespace gannet::kernels::cuda {

// A block finishes 32 columns of finish_rows rows; each thread finishes finish_steps rows.
inline constexpr int finish_threads = 256, finish_warps = finish_threads / warp_size;
inline constexpr int finish_steps = 16, finish_rows = finish_warps * finish_steps;

template <class T, bool add_slices>
struct FinishShared {
    T values[finish_warps][warp_size];
};

// Returns the sum over the threads of a column to all of them. Warps are added in order.
template <class T, bool add_slices>
__device__ __forceinline__ T column_sum(FinishShared<T, add_slices>& memory, T value) {
    const int lane = threadIdx.x % warp_size;
    __syncthreads();
    memory.values[threadIdx.x / warp_size][lane] = value;
    __syncthreads();
    T total = memory.values[0][lane];
#pragma unroll
    for (int w = 1; w < finish_warps; ++w) total += memory.values[w][lane];
    return total;
}

// out[e] = act(sum of the slices of element e + bias).
template <class T>
__global__ void __launch_bounds__(finish_threads, min_blocks(finish_threads, 64))
    add_slices_kernel(T* out, const T* partial, const T* bias, int64_t size, int channels, int slices, Activation act) {
    const int64_t stride = int64_t(gridDim.x) * finish_threads;
    for (int64_t e = int64_t(blockIdx.x) * finish_threads + threadIdx.x; e < size; e += stride) {
        T total = partial[e];
#pragma unroll 4
        for (int s = 1; s < slices; ++s) total += partial[s * size + e];
        if (bias) total += bias[e % channels];
        out[e] = activate(total, act);
    }
}

// Computes the deviations of finish_rows rows by 32 columns of the output. If there are slices, first adds them as
// add_slices_kernel does.
template <class T, bool add_slices>
__global__ void __launch_bounds__(finish_threads, min_blocks(finish_threads, 64))
    column_deviations_kernel(ColumnDeviations<T> deviations, T* out, const T* partial, const T* bias, int64_t rows, int cols,
                             int slices, Activation act) {
    auto& memory = shared<FinishShared<T, add_slices>>();
    const int col_blocks = (cols + warp_size - 1) / warp_size, warp = int(threadIdx.x) / warp_size;
    const int64_t block = blockIdx.x / col_blocks, begin = block * finish_rows;
    const int col = int(blockIdx.x % col_blocks) * warp_size + int(threadIdx.x) % warp_size;
    const int count = int(rows - begin < finish_rows ? rows - begin : finish_rows);
    T values[finish_steps], sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < finish_steps; ++i) {
        values[i] = 0;
        if (i * finish_warps + warp >= count || col >= cols) continue;
        const int64_t place = (begin + i * finish_warps + warp) * cols + col;
        if constexpr (add_slices) {
            values[i] = partial[place];
            for (int s = 1; s < slices; ++s) values[i] += partial[s * rows * cols + place];
            if (bias) values[i] += bias[col];
        } else {
            values[i] = out[place];
        }
    }
    if constexpr (add_slices) {
        // a loop, so that the code of the activation exists once; the rotation keeps `values` in registers
#pragma unroll 1
        for (int i = 0; i < finish_steps; ++i) {
            const T finished = activate(values[0], act);
#pragma unroll
            for (int l = 0; l + 1 < finish_steps; ++l) values[l] = values[l + 1];
            values[finish_steps - 1] = finished;
            const int row = i * finish_warps + warp;
            if (row < count && col < cols) out[(begin + row) * cols + col] = finished;
        }
    }
#pragma unroll
    for (int i = 0; i < finish_steps; ++i)
        if (i * finish_warps + warp < count) sum += values[i];
    const T mean = column_sum(memory, sum) / T(count);
#pragma unroll
    for (int i = 0; i < finish_steps; ++i)
        if (i * finish_warps + warp < count) squares += (values[i] - mean) * (values[i] - mean);
    squares = column_sum(memory, squares);
    if (warp > 0 || col >= cols) return;
    deviations.values[block * cols + col] = {mean, squares};
    if (col == 0) deviations.counts[block] = T(count);
}

// moments[0..cols) and moments[cols..2 cols): mean and biased variance, from the deviations of the row blocks in a fixed order.
template <class T>
__global__ void __launch_bounds__(finish_threads, min_blocks(finish_threads, 64))
    merge_deviations_kernel(T* moments, ColumnDeviations<T> deviations, int64_t row_blocks, int cols) {
    struct Shared {
        Deviations<T> values[finish_warps][warp_size];
        T counts[finish_warps];
    };
    Shared& memory = shared<Shared>();
    const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size, col = int(blockIdx.x) * warp_size + lane;
    Deviations<T> all = {0, 0};
    T count = 0;
    for (int64_t block = warp; block < row_blocks; block += finish_warps) {
        const T of_block = deviations.counts[block];
        if (of_block <= 0) continue;
        if (col < cols) all = Deviations<T>::merge(all, count, deviations.values[block * cols + col], of_block);
        count += of_block;
    }
    memory.values[warp][lane] = all;
    if (lane == 0) memory.counts[warp] = count;
    __syncthreads();
    if (warp > 0 || col >= cols) return;
    for (int w = 1; w < finish_warps; ++w) {
        if (memory.counts[w] <= 0) continue;
        all = Deviations<T>::merge(all, count, memory.values[w][lane], memory.counts[w]);
        count += memory.counts[w];
    }
    moments[col] = all.mean;
    moments[cols + col] = all.squares / count;
}

// ---- launchers -------------------------------------------------------------------------------------------------------

// Scratch memory for the deviations of `row_blocks` blocks of rows.
template <class T>
class DeviationsScratch {
public:
    DeviationsScratch(int64_t row_blocks, int64_t cols, Stream stream)
        : scratch_(std::size_t(row_blocks * (2 * cols + 1)) * sizeof(T), stream), row_blocks_(row_blocks), cols_(int(cols)) {}

    ColumnDeviations<T> deviations() const {
        if (row_blocks_ == 0) return {};
        return {scratch_.as<Deviations<T>>(), scratch_.as<T>() + 2 * row_blocks_ * cols_};
    }
    void merge(T* moments, Stream stream) const {
        launch("merge_deviations", merge_deviations_kernel<T>,
               {dim3(unsigned(divide_up(cols_, warp_size))), dim3(finish_threads)}, stream, moments, deviations(), row_blocks_,
               cols_);
    }

private:
    const Scratch scratch_;
    const int64_t row_blocks_;
    const int cols_;
};

// Finishes an output of (rows, channels). Its partial sums are in `partial` if slices.parallel. At most one launch without
// moments, two with moments.
template <class T>
void finish_output(T* out, real* moments, const T* partial, const T* bias, int64_t rows, int64_t channels, const Slices& slices,
                   Activation act, Stream stream) {
    if (moments) {
        const int64_t row_blocks = divide_up(rows, finish_rows), blocks = row_blocks * divide_up(channels, warp_size);
        const DeviationsScratch<T> scratch(row_blocks, channels, stream);
        launch("column_deviations", slices.parallel ? column_deviations_kernel<T, true> : column_deviations_kernel<T, false>,
               {dim3(unsigned(blocks)), dim3(finish_threads)}, stream, scratch.deviations(), out, partial, bias, rows,
               int(channels), slices.count, act);
        scratch.merge(moments, stream);
    } else if (slices.parallel) {
        const int64_t size = rows * channels, blocks = std::min<int64_t>(divide_up(size, finish_threads), 1 << 16);
        launch("add_slices", add_slices_kernel<T>, {dim3(unsigned(blocks)), dim3(finish_threads)}, stream, out, partial, bias,
               size, int(channels), slices.count, act);
    }
}

}  // namespace gannet::kernels::cuda
