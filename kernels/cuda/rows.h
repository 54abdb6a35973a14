// Sums along the rows of a (rows, cols) matrix. A short row is summed by a part of a warp (a power of two of threads, so that the
// rows of a warp are read contiguously), a longer row by a block. A long row is split into pieces, and a second launch adds their
// sums. The split depends only on the length of a row, so a row has the same bits in any batch.
#pragma once
#include <algorithm>

#include "kernels/cuda/block.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/scratch.h"
#include "kernels/cuda/variants.h"

namespace gannet::kernels::cuda {

inline constexpr int row_threads = 512;  // maximum of a block

struct RowCut {
    int64_t rows = 0, cols = 0, piece = 0;               // columns of a piece
    int32_t pieces = 1, lanes = 1, threads = warp_size;  // lanes: threads of a piece, part of a warp or the whole block

    int64_t blocks() const { return divide_up(rows * pieces, threads / lanes); }
    Grid grid() const { return {dim3(unsigned(blocks())), dim3(unsigned(threads))}; }
    std::string extents_text() const { return "matrix " + std::to_string(rows) + " " + std::to_string(cols); }
    template <class T>
    std::size_t partial_bytes() const {
        return pieces > 1 ? std::size_t(rows * pieces) * sizeof(T) : 0;
    }
};

// Pieces have 8192 columns, or more if there would be more than 512 pieces.
inline RowCut cut_rows(const RowsShape& s, int width, bool may_split = true) {
    RowCut c;
    c.rows = s.rows, c.cols = c.piece = s.cols;
    if (s.cols <= 1024) {
        while (c.lanes < warp_size && c.lanes * width < s.cols) c.lanes *= 2;
        c.threads = 128;
    } else if (may_split) {
        c.piece = std::max<int64_t>(8192, divide_up(divide_up(s.cols, 512), 1024) * 1024);
        c.pieces = int32_t(divide_up(s.cols, c.piece));
        c.lanes = c.threads = 256;
    } else {
        c.lanes = c.threads = s.cols < 8192 ? 256 : row_threads;
    }
    return c;
}

// The position of this thread. Threads without a row have an empty range, but must take part in sums.
struct RowThread {
    const RowCut& c;
    int lane;
    int64_t row, index;  // index: number of the piece among the pieces of all rows
    int64_t begin, end;  // columns of the piece
    bool active;

    __device__ explicit RowThread(const RowCut& cut)
        : c(cut),
          lane(int(threadIdx.x) & (c.lanes - 1)),
          index(int64_t(blockIdx.x) * (c.threads / c.lanes) + int(threadIdx.x) / c.lanes) {
        row = c.pieces == 1 ? index : blockIdx.x / unsigned(c.pieces);
        active = row < c.rows;
        begin = c.pieces == 1 ? 0 : (index - row * c.pieces) * c.piece;
        end = active ? min(c.cols, begin + c.piece) : begin;
    }

    // The number of its packs of `width` columns, if the piece consists of packs.
    __device__ int steps(int width) const {
        const int64_t left = end - begin - lane * width;
        return left > 0 ? int(unsigned(left - 1) / unsigned(c.lanes * width)) + 1 : 0;
    }
};

template <class A>
struct RowSums {
    A warps[row_threads / warp_size];
};

// Returns the sum over the `lanes` threads of a row or piece to all of them: a butterfly, then the warps in order. All threads of
// the block call it. The memory can be used again.
template <class A>
__device__ __forceinline__ A row_sum(A value, int lanes, RowSums<A>& sums) {
    if (lanes <= warp_size) {
        for (int distance = lanes / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(all_lanes, value, distance);
        return value;
    }
    value = warp_sum(value);
    if (threadIdx.x % warp_size == 0) sums.warps[threadIdx.x / warp_size] = value;
    __syncthreads();
    A total = sums.warps[0];
    for (int w = 1; w < lanes / warp_size; ++w) total += sums.warps[w];
    __syncthreads();
    return total;
}

// A kind of row sum adds term(x) in type A and returns finish(sum). First level: writes y[i] or, if rows are split,
// partial[piece]. If `width` does not divide a row (then there is only one row), its last columns are added one by one.
template <int width, class T, class A, class Kind>
__global__ void __launch_bounds__(256, min_blocks(256, 64)) add_rows_kernel(T* y, A* partial, const T* x, RowCut c, Kind kind) {
    const RowThread p(c);
    const T* row = x + p.row * c.cols;
    const int64_t whole = p.end - (p.end - p.begin) % width;
    Pack<A, width> acc = {};
#pragma unroll 4
    for (int64_t j = p.begin + p.lane * width; j < whole; j += c.lanes * width) {
        const Pack<T, width> v = load_pack<width>(row + j);
#pragma unroll
        for (int k = 0; k < width; ++k) acc[k] += kind.term(v[k]);
    }
    if (width > 1)
        for (int64_t j = whole + p.lane; j < p.end; j += c.lanes) acc[0] += kind.term(row[j]);
    const A total = row_sum(sum_of(acc), c.lanes, shared<RowSums<A>>());
    if (p.lane > 0 || !p.active) return;
    if (c.pieces > 1) partial[p.index] = total;
    else y[p.row] = kind.finish(total);
}

// Second level: one warp sums the pieces of a row. All its lanes get the sum.
template <class A>
__device__ __forceinline__ A add_pieces(const A* partial, int64_t row, int pieces) {
    A total = 0;
#pragma unroll 4
    for (int i = int(threadIdx.x) % warp_size; i < pieces; i += warp_size) total += partial[row * pieces + i];
    return warp_sum(total);
}

template <class T, class A, class Kind>
__global__ void __launch_bounds__(256, min_blocks(256, 64))
    merge_rows_kernel(T* y, const A* partial, int64_t rows, int pieces, Kind kind) {
    const int64_t row = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
    if (row >= rows) return;
    const A total = add_pieces(partial, row, pieces);
    if (threadIdx.x % warp_size == 0) y[row] = kind.finish(total);
}

template <class T, class A, class Kind>
void merge_rows(T* y, const A* partial, const RowCut& c, const Kind& kind, Stream stream) {
    if (c.pieces == 1) return;
    const int warps = int(std::min<int64_t>(c.rows, 256 / warp_size));
    launch("merge_rows", merge_rows_kernel<T, A, Kind>,
           {dim3(unsigned(divide_up(c.rows, warps))), dim3(unsigned(warps * warp_size))}, stream, y, partial, c.rows, c.pieces,
           kind);
}

// y[i] = this kind of sum of row i. `packs`: x is aligned, and 16 bytes divide a row or there is only one row.
template <class A, class T, class Kind>
void sum_of_rows(const char* name, T* y, const T* x, const RowsShape& s, bool packs, const Kind& kind, Stream stream) {
    with_width<T>(packs, [&](auto width) {
        const RowCut c = cut_rows(s, width);
        const Scratch partial(c.partial_bytes<A>(), stream);
        launch(name, add_rows_kernel<width, T, A, Kind>, c.grid(), stream, y, partial.as<A>(), x, c, kind);
        merge_rows(y, partial.as<A>(), c, kind, stream);
    });
}

// ---- elements with a factor per row ---------------------------------------------------------------------------------

// Each thread has 4 runs of `width` elements, 256 * width apart. The row of the first run is found by a division.
struct RowSpread {
    int64_t size = 0, cols = 1, step_rows = 0, step_cols = 0;

    static constexpr int threads = 256, runs = 4;
    RowSpread(const RowsShape& s, int width)
        : size(s.size()), cols(s.cols), step_rows(threads * width / s.cols), step_cols(threads * width % s.cols) {}
    Grid grid(int width) const { return {dim3(unsigned(divide_up(size, int64_t(threads) * width * runs))), dim3(threads)}; }
};

// y[e, e + n) = value(factors, e), where `factors` is a pack with one factor for each element; factor(i) is that of row i.
template <int width, class T, class Factor, class Value>
__device__ __forceinline__ void spread_rows(T* y, const RowSpread& s, const Factor& factor, const Value& value) {
    int64_t e = (int64_t(blockIdx.x) * RowSpread::runs * RowSpread::threads + threadIdx.x) * width;
    int64_t row = e / s.cols, column = e - row * s.cols;
    for (int run = 0; run < RowSpread::runs && e < s.size; ++run) {
        const int count = int(min(int64_t(width), s.size - e));
        Pack<T, width> factors;
        int64_t i = row, j = column;
        T f = factor(i);
#pragma unroll
        for (int k = 0; k < width; ++k) {
            if (k > 0 && k < count && ++j == s.cols) f = factor(++i), j = 0;
            factors[k] = f;
        }
        if (count == width) {
            store_pack(y + e, value(factors, e));
        } else {
#pragma unroll
            for (int k = 0; k < width; ++k)
                if (k < count) store_pack(y + e + k, value(Pack<T, 1>{{factors[k]}}, e + k));
        }
        e += int64_t(RowSpread::threads) * width, row += s.step_rows, column += s.step_cols;
        if (column >= s.cols) column -= s.cols, ++row;
    }
}

}  // namespace gannet::kernels::cuda
