// Passes over a (rows, cols) matrix in which each thread has fixed columns, and sums down the columns. A block is a tile of
// columns times a slice of rows: `lanes` threads side by side, each with `width` neighbouring columns, and `row_lanes` such rows
// of threads. A narrow matrix is read as a matrix with fewer, wider rows (`fold` rows side by side), so that 1 or 3 channels are
// also read in packs of 16 bytes. Sums have two levels, both in an order that depends only on the shape: the rows of a slice in a
// fixed tree (add_columns), then the slices in order (merge_slices).
#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/shared.h"
#include "kernels/cuda/variants.h"

namespace gannet::kernels::cuda {

inline constexpr int column_threads = 512;
inline constexpr int tile_columns = 32;        // a line of 128 bytes
inline constexpr int wide_tile_columns = 128;  // used if there are enough tiles to fill the device

enum class ColumnUse { sums, pass };

struct ColumnCut {
    int64_t rows = 0, cols = 0, columns = 0;  // rows and cols of the folded matrix; columns of the original matrix
    int32_t fold = 1, lanes = 1, row_lanes = 1, tiles = 0, slices = 0;
    int64_t slice_rows = 0;

    Grid grid() const { return {dim3(unsigned(tiles), unsigned(slices)), dim3(column_threads)}; }
    std::string extents_text() const { return "matrix " + std::to_string(rows) + " " + std::to_string(cols); }

    // The size of the array of store_slice.
    template <class P>
    std::size_t partial_bytes(int terms) const {
        return slices > 1 ? std::size_t(slices) * std::size_t(terms) * std::size_t(columns) * sizeof(P) : 0;
    }
};

constexpr int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Whether a thread can have `width` neighbouring columns, if necessary by folding rows.
template <int width>
bool fits_columns(const RowsShape& s) {
    const int64_t fold = width / std::gcd<int64_t>(width, s.cols);
    return fold == 1 || (s.cols * fold <= tile_columns && s.rows % fold == 0);
}

// Each thread has at least four rows. The square of the number of slices is at most a quarter of the number of rows, so adding
// the slices again in every block takes little time compared with the rows of the block.
template <int width>
ColumnCut cut_columns(const RowsShape& s, ColumnUse use) {
    ColumnCut c;
    c.fold = int32_t(width / std::gcd<int64_t>(width, s.cols));
    c.rows = s.rows / c.fold, c.cols = s.cols * c.fold, c.columns = s.cols;
    const int64_t packs = c.cols / width, blocks = use == ColumnUse::sums ? 256 : 1024;
    const int64_t most = (c.cols >= blocks * wide_tile_columns ? wide_tile_columns : tile_columns) / width;
    c.lanes = int32_t(divide_up(packs, divide_up(packs, most)));
    if (c.lanes < packs && width > 1) c.lanes = int32_t(round_up(c.lanes, 2));  // whole sectors
    c.tiles = int32_t(divide_up(packs, c.lanes));
    c.row_lanes = column_threads / c.lanes;
    int64_t slices = std::min(divide_up(c.rows, 4 * c.row_lanes), std::max<int64_t>(1, blocks / c.tiles));
    if (use == ColumnUse::sums) slices = std::min(slices, int64_t(std::sqrt(double(s.rows)) / 2));
    c.slice_rows = round_up(std::max<int64_t>(1, divide_up(c.rows, std::max<int64_t>(1, slices))), c.row_lanes);
    c.slices = int32_t(std::max<int64_t>(1, divide_up(c.rows, c.slice_rows)));
    return c;
}

// The position of this thread in a block of column_threads.
template <int width>
struct ColumnThread {
    const ColumnCut& c;
    int lane, row;
    int64_t tile, column;  // the first (folded) column of the tile and of this thread
    int64_t begin, end;    // the range of its (folded) rows, in steps of row_lanes
    bool active;

    __device__ explicit ColumnThread(const ColumnCut& cut)
        : c(cut),
          lane(int(threadIdx.x) % cut.lanes),
          row(int(threadIdx.x) / cut.lanes),
          tile(int64_t(blockIdx.x) * cut.lanes * width),
          column((int64_t(blockIdx.x) * cut.lanes + lane) * width),  // written such that nvcc keeps stores 16 bytes wide
          begin(blockIdx.y * cut.slice_rows + row),
          end(min(cut.rows, (blockIdx.y + 1) * cut.slice_rows)),
          active(row < cut.row_lanes && column < cut.cols) {
        if (!active) begin = end;
    }

    // The number of its rows.
    __device__ int steps() const { return begin < end ? int(unsigned(end - begin - 1) / unsigned(c.row_lanes)) + 1 : 0; }

    // The number of columns of the matrix in this tile, and the position of this thread's k-th column among them.
    __device__ int tile_size() const { return int(c.fold > 1 ? c.columns : min(int64_t(c.lanes) * width, c.cols - tile)); }
    __device__ int place(int k) const { return c.fold > 1 ? (lane * width + k) % int(c.columns) : lane * width + k; }

    // This thread's part of a vector with one value per column.
    template <class T>
    __device__ Pack<T, width> load(const T* v) const {
        if (c.fold == 1) return load_any<width>(v + column);
        return pick_places(v);
    }
    // The same part of the tile's totals in shared memory.
    template <class T>
    __device__ Pack<T, width> pick(const T* totals) const {
        if (c.fold == 1) return load_pack<width>(totals + lane * width);
        return pick_places(totals);
    }

    // Calls use(load(e, r), e) for its rows r, where e is the first element, with `batch` loads in flight at a time.
    template <int batch, class Load, class Use>
    __device__ __forceinline__ void for_rows(const Load& load, const Use& use) const {
        const int64_t step = c.row_lanes * c.cols;
        int64_t r = begin, e = r * c.cols + column;
        decltype(load(e, r)) in[batch];
#pragma unroll 1
        for (int left = steps(); left > 0; left -= batch, r += batch * c.row_lanes, e += batch * step) {
#pragma unroll
            for (int u = 0; u < batch; ++u)
                if (u < left) in[u] = load(e + u * step, r + u * c.row_lanes);
#pragma unroll
            for (int u = 0; u < batch; ++u)
                if (u < left) use(in[u], e + u * step);
        }
    }

private:
    template <class T>
    __device__ Pack<T, width> pick_places(const T* v) const {
        Pack<T, width> values;
#pragma unroll
        for (int k = 0; k < width; ++k) values[k] = v[place(k)];
        return values;
    }
};

// ---- sums, first level -------------------------------------------------------------------------------------------------

// Shared memory of a block: totals[k][j] is the sum of term k in column j of the tile.
template <class T, int width, int terms>
struct ColumnSums {
    Pack<T, width> values[terms][column_threads];
    T totals[terms][wide_tile_columns];
};

// Adds the values of the threads into `totals`, which every thread may read afterwards. All threads of the block call it.
template <class T, int width, int terms>
__device__ __forceinline__ void add_columns(ColumnSums<T, width, terms>& sums, const Pack<T, width> (&values)[terms],
                                            const ColumnThread<width>& p) {
    const int t = int(threadIdx.x), size = p.tile_size();
#pragma unroll
    for (int k = 0; k < terms; ++k) sums.values[k][t] = values[k];
    __syncthreads();
    for (int n = p.c.row_lanes, half; n > 1; n = half) {
        half = (n + 1) / 2;
        if (p.row < n - half) {
#pragma unroll
            for (int k = 0; k < terms; ++k)
#pragma unroll
                for (int i = 0; i < width; ++i) sums.values[k][t][i] += sums.values[k][t + half * p.c.lanes][i];
        }
        __syncthreads();
    }
    if (t < size) {
#pragma unroll
        for (int k = 0; k < terms; ++k) {
            T total = sums.values[k][t / width][t % width];
            for (int m = t + size; m < p.c.fold * size; m += size) total += sums.values[k][m / width][m % width];
            sums.totals[k][t] = total;
        }
    }
    __syncthreads();
}

// ---- sums, second level ------------------------------------------------------------------------------------------------

// partial[(slice * terms + k) * columns + j], written after add_columns and read by merge_slices.
template <class T, int width, int terms>
__device__ __forceinline__ void store_slice(T* partial, const ColumnSums<T, width, terms>& sums, const ColumnThread<width>& p) {
    const int t = int(threadIdx.x);
    if (t >= p.tile_size()) return;
#pragma unroll
    for (int k = 0; k < terms; ++k) partial[(int64_t(blockIdx.y) * terms + k) * p.c.columns + p.tile + t] = sums.totals[k][t];
}

template <class T, int terms>
struct SliceSums {
    T groups[terms][column_threads];
    T totals[terms][tile_columns];
};

// totals[k][j] = sum over the slices i of value(k, i, tile + j), for the `size` columns of the tile, at most tile_columns. All
// threads of the block call it. Each warp adds every (threads / 32)-th slice.
template <class T, int terms, class Value>
__device__ __forceinline__ void merge_slices(SliceSums<T, terms>& sums, int64_t tile, int size, int slices, const Value& value) {
    const int j = int(threadIdx.x) % tile_columns, group = int(threadIdx.x) / tile_columns,
              groups = int(blockDim.x) / tile_columns;
#pragma unroll
    for (int k = 0; k < terms; ++k) {
        T total = 0;
        if (j < size) {
#pragma unroll 4
            for (int i = group; i < slices; i += groups) total += value(k, i, tile + j);
        }
        sums.groups[k][threadIdx.x] = total;
    }
    __syncthreads();
    if (group == 0) {
#pragma unroll
        for (int k = 0; k < terms; ++k) {
            T total = sums.groups[k][j];
            for (int g = 1; g < groups; ++g) total += sums.groups[k][g * tile_columns + j];
            sums.totals[k][j] = total;
        }
    }
    __syncthreads();
}

template <class T, int terms>
__device__ __forceinline__ void merge_slices(SliceSums<T, terms>& sums, int64_t tile, int size, int slices, const T* partial,
                                             int64_t columns) {
    merge_slices(sums, tile, size, slices,
                 [=](int k, int i, int64_t j) { return partial[(int64_t(i) * terms + k) * columns + j]; });
}

}  // namespace gannet::kernels::cuda
