// The epilogue of a tile of C: slices of k, bias, activation, and the deviations of columns from their means for a batch norm
// that follows.
#pragma once
#include "kernels/cuda/block.h"
#include "kernels/cuda/tile.h"
#include "kernels/math.h"

namespace gannet::kernels::cuda {

// k is split into `count` slices. The count must not depend on the number of samples in a batch. If there would be too few
// blocks, each slice has a block that writes partial sums (`parallel`); otherwise a block computes all slices in order.
struct Slices {
    int count = 1;
    bool parallel = false;
};

// Mean and sum of squared deviations of each column (channel) over blocks of rows, [block][channel], and the number of rows of
// each block. The values of two blocks are combined by the rule of Chan, Golub and LeVeque (1979).
template <class T>
struct alignas(2 * sizeof(T)) Deviations {
    T mean, squares;

    static __device__ __forceinline__ Deviations merge(const Deviations& a, T count_a, const Deviations& b, T count_b) {
        const T share = count_b / (count_a + count_b), apart = b.mean - a.mean;
        return {a.mean + apart * share, a.squares + b.squares + apart * apart * count_a * share};
    }
};
template <class T>
struct ColumnDeviations {
    Deviations<T>* values = nullptr;
    T* counts = nullptr;
};

// The position of a block: the tile; the slice, if slices are parallel; the phase, for conv2d_dgrad.
struct TileGrid {
    int row_tiles, col_tiles;
};
struct BlockPlace {
    int row_tile, col_tile, slice, phase_h, phase_w;
};
__device__ __forceinline__ BlockPlace block_place(const TileGrid& grid) {
    const unsigned col = blockIdx.x % unsigned(grid.col_tiles), rest = blockIdx.x / unsigned(grid.col_tiles);
    const unsigned row = rest % unsigned(grid.row_tiles), slice = rest / unsigned(grid.row_tiles);
    return {int(row), int(col), int(slice), int(blockIdx.y), int(blockIdx.z)};
}

template <class T>
struct TileOutput {
    T* out;         // the output, or the partial sums if slices.parallel
    const T* bias;  // per channel, or null
    Activation act;
    Slices slices;
    int64_t partial_size;  // number of elements of C
    int64_t rows;          // number of rows of C; for conv2d_dgrad, of its longest phase
    int cols, channels;    // the channel of a column is column % channels
    int row_tiles;
    bool vector;                     // whether rows can be written 16 bytes at a time
    ColumnDeviations<T> deviations;  // null unless requested; then act is piecewise linear and channels = cols

    __device__ __forceinline__ int64_t row_block(const BlockPlace& at) const {
        return (int64_t(at.phase_h) * gridDim.z + at.phase_w) * row_tiles + at.row_tile;
    }
    // Whether the tile is beyond the last row of its phase.
    __device__ __forceinline__ void skip_tile(const BlockPlace& at) const {
        if (deviations.counts && at.col_tile == 0 && threadIdx.x == 0) deviations.counts[row_block(at)] = 0;
    }
};

// The activations of one or two instructions. The others are applied in a separate loop, so that their code exists once.
GANNET_HD bool is_piecewise_linear(Activation act) { return piecewise_linear_kinds >> int(act.kind) & 1; }
static_assert(piecewise_linear_kinds ==
                  (1u << int(ActivationKind::none) | 1u << int(ActivationKind::relu) | 1u << int(ActivationKind::leaky_relu)),
              "activate_piecewise computes these");
template <class T>
__device__ __forceinline__ T activate_piecewise(T x, Activation act) {
    const T below = act.kind == ActivationKind::relu ? T(0) : act.kind == ActivationKind::leaky_relu ? act.slope * x : x;
    return x <= T(0) ? below : x;
}

// The rows of C in a thread's part of the tile at (m0, n0).
template <class Tile, class T, class RowOffset>
class TileWriter {
public:
    using Sum = T[Tile::thread_rows][Tile::thread_cols];

    __device__ __forceinline__ TileWriter(const TileOutput<T>& to, T* out, int64_t m0, int n0, int64_t rows,
                                          const RowOffset& row_offset)
        : to_(to),
          out_(out),
          m_(m0 + Tile::row_of_thread()),
          rows_(rows),
          n_(n0 + Tile::col_of_thread()),
          row_offset_(row_offset) {}

    // Calls f(i, j, p) for elements j to j + width of row i that are inside C; p is their destination.
    template <int width, class F>
    __device__ __forceinline__ void each(const F& f) const {
#pragma unroll
        for (int i = 0; i < Tile::thread_rows; ++i) {
            if (m_ + Tile::row(i) >= rows_) continue;
            T* const row = out_ + row_offset_(m_ + Tile::row(i)) + n_;
#pragma unroll
            for (int j = 0; j < Tile::thread_cols; j += width)
                if (n_ + Tile::col(j) < to_.cols) f(i, j, row + Tile::col(j));
        }
    }
    __device__ __forceinline__ void add_before(Sum& sum) const {
        each<1>([&](int i, int j, const T* p) { sum[i][j] += *p; });
    }
    __device__ __forceinline__ void finish(Sum& sum) const {
        T bias[Tile::thread_cols];
#pragma unroll
        for (int q = 0; q < Tile::thread_cols; q += chunk) {
            unsigned channel = unsigned(n_ + Tile::col(q)) % unsigned(to_.channels);
#pragma unroll
            for (int l = 0; l < chunk; ++l) {
                bias[q + l] = to_.bias && n_ + Tile::col(q + l) < to_.cols ? to_.bias[channel] : T(0);
                channel = channel + 1 == unsigned(to_.channels) ? 0 : channel + 1;
            }
        }
#pragma unroll
        for (int i = 0; i < Tile::thread_rows; ++i)
#pragma unroll
            for (int j = 0; j < Tile::thread_cols; ++j) sum[i][j] = activate_piecewise(sum[i][j] + bias[j], to_.act);
    }
    __device__ __forceinline__ void store(const Sum& sum) const {
        if (to_.vector)
            each<widest<T>>([&](int i, int j, T* p) {
                Pack<T, widest<T>> values;
#pragma unroll
                for (int l = 0; l < widest<T>; ++l) values[l] = sum[i][j + l];
                store_pack(p, values);
            });
        else each<1>([&](int i, int j, T* p) { *p = sum[i][j]; });
    }
    __device__ __forceinline__ void activate_stored() const {
#pragma unroll 1
        for (int e = 0; e < Tile::thread_rows * Tile::thread_cols; ++e) {
            const int64_t m = m_ + Tile::row(e / Tile::thread_cols);
            const int j = Tile::col(e % Tile::thread_cols);
            if (m >= rows_ || n_ + j >= to_.cols) continue;
            T& value = out_[row_offset_(m) + n_ + j];
            value = activate(value, to_.act);
        }
    }
    // Writes the deviations of the tile's columns. All threads of the block call it. `memory` is shared memory for
    // Tile::row_warps rows.
    __device__ __forceinline__ void store_deviations(const Sum& sum, T* memory, int64_t row_block) const {
        const int64_t left = rows_ - (m_ - Tile::row_of_thread());
        const T count = T(left < Tile::rows ? left : Tile::rows);
        T mean[Tile::thread_cols], squares[Tile::thread_cols];
        column_sums(mean, memory, [&](int i, int j) { return sum[i][j]; });
#pragma unroll
        for (int j = 0; j < Tile::thread_cols; ++j) mean[j] /= count;
        __syncthreads();
        column_sums(squares, memory, [&](int i, int j) { return (sum[i][j] - mean[j]) * (sum[i][j] - mean[j]); });
        if (Tile::row_of_thread() > 0) return;
        if (n_ == 0) to_.deviations.counts[row_block] = count;
#pragma unroll
        for (int j = 0; j < Tile::thread_cols; ++j)
            if (n_ + Tile::col(j) < to_.cols)
                to_.deviations.values[row_block * to_.cols + n_ + Tile::col(j)] = {mean[j], squares[j]};
    }

private:
    // Sums over the rows of the tile that are inside C, in a fixed order: within a thread, within a warp, over the warps.
    template <class Value>
    __device__ __forceinline__ void column_sums(T (&sums)[Tile::thread_cols], T* memory, const Value& value) const {
        const int row_warp = int(threadIdx.x) / warp_size / Tile::col_warps, col = Tile::col_of_thread();
#pragma unroll
        for (int j = 0; j < Tile::thread_cols; ++j) {
            sums[j] = 0;
#pragma unroll
            for (int i = 0; i < Tile::thread_rows; ++i)
                if (m_ + Tile::row(i) < rows_) sums[j] += value(i, j);
            sums[j] += __shfl_xor_sync(all_lanes, sums[j], Tile::row_lane_bit);
            sums[j] += __shfl_xor_sync(all_lanes, sums[j], Tile::other_row_lane_bit);
            if (Tile::row_of_thread() % Tile::warp_rows == 0) memory[row_warp * Tile::cols + col + Tile::col(j)] = sums[j];
        }
        __syncthreads();
#pragma unroll
        for (int j = 0; j < Tile::thread_cols; ++j) {
            sums[j] = memory[col + Tile::col(j)];
#pragma unroll
            for (int w = 1; w < Tile::row_warps; ++w) sums[j] += memory[w * Tile::cols + col + Tile::col(j)];
        }
    }

    const TileOutput<T>& to_;
    T* const out_;
    const int64_t m_, rows_;
    const int n_;
    const RowOffset& row_offset_;
};

// The shared memory of a block. It holds the position of the block: otherwise the compiler would compute values from the position
// early and keep them in registers that the main loop needs.
template <class T, class Tile, class Operands>
struct TileMemory {
    Stages<T, Tile, Operands> stages;
    BlockPlace place;
};

// Writes a tile of the block. Slice 0 overwrites, later slices add to the earlier values of the thread, and the last slice
// applies bias and activation. row_offset(m) is the offset of row m of C.
template <class Tile, class T, class Operands, class RowOffset>
__device__ __forceinline__ void write_tile(T (&sum)[Tile::thread_rows][Tile::thread_cols], TileMemory<T, Tile, Operands>& memory,
                                           const TileOutput<T>& to, const BlockPlace& at, int64_t rows,
                                           const RowOffset& row_offset) {
    const bool parallel = to.slices.parallel, last = !parallel && at.slice == to.slices.count - 1;
    const TileWriter<Tile, T, RowOffset> writer(to, to.out + (parallel ? at.slice * to.partial_size : 0),
                                                int64_t(at.row_tile) * Tile::rows, at.col_tile * Tile::cols, rows, row_offset);
    if (!parallel && at.slice > 0) writer.add_before(sum);
    if (last) writer.finish(sum);
    writer.store(sum);
    if (last && !is_piecewise_linear(to.act)) writer.activate_stored();
    if (last && to.deviations.values) writer.store_deviations(sum, reinterpret_cast<T*>(&memory.stages), to.row_block(at));
}

// Computes the tile of the block, slice by slice, over `steps` steps of k in total. operands_at(place, step) returns the operands
// from that step on; write_to(place, sum) writes the sums.
template <class Tile, class T, class Operands, class OperandsAt, class WriteTo>
__device__ __forceinline__ void multiply_slices(TileMemory<T, Tile, Operands>& memory, const BlockPlace& place,
                                                const Slices& slices, int64_t steps, const OperandsAt& operands_at,
                                                const WriteTo& write_to) {
    if (threadIdx.x == 0) memory.place = place;
    for (bool more = true; more;) {
        __syncthreads();
        T sum[Tile::thread_rows][Tile::thread_cols] = {};
        const int64_t from = steps * memory.place.slice / slices.count, until = steps * (memory.place.slice + 1) / slices.count;
        if (from < until) {
            Operands operands = operands_at(memory.place, from);
            multiply<Tile>(sum, memory.stages, operands, int(until - from));
        }
        __syncthreads();
        const BlockPlace at = memory.place;
        write_to(at, sum);
        more = !slices.parallel && at.slice + 1 < slices.count;
        __syncthreads();
        if (threadIdx.x == 0) memory.place.slice = at.slice + 1;
    }
}

}  // namespace gannet::kernels::cuda
