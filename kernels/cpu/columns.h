// Sums down the columns of a (rows, cols) matrix: tiles of columns are split into slices of rows, and each slice is summed in
// pieces that fit in cache. A narrow matrix is read as a matrix with fewer, wider rows (`fold` rows side by side), so that
// vectors are full.
#pragma once
#include "kernels/cpu/blocks.h"

namespace gannet::kernels::cpu::GANNET_ISA {

inline constexpr int64_t max_tile = 512;  // columns of a tile, after folding
inline constexpr int64_t max_tasks = 64;  // approximate total number of slices of all tiles

struct ColumnCut {
    int64_t rows, cols;
    int64_t fold;                // rows side by side; 1 if a tile is narrower than the matrix
    int64_t tile, tiles;         // columns of a tile (unfolded)
    int64_t slice_rows, slices;  // rows of a slice
    int64_t piece_rows;          // rows of a piece, a multiple of fold
    int64_t tasks() const { return tiles * slices; }
};

inline ColumnCut cut_columns(const RowsShape& s, bool may_fold = true) {
    ColumnCut c{};
    c.rows = s.rows, c.cols = s.cols;
    c.fold = !may_fold || s.cols > 32 ? 1 : s.cols == 1 ? 64 : 16;
    c.tile = std::max<int64_t>(1, std::min(s.cols, max_tile));
    c.tiles = ceil_div(s.cols, c.tile);
    c.piece_rows = std::max<int64_t>(1, block_size / (c.tile * c.fold)) * c.fold;
    const int64_t slices = std::max<int64_t>(1, max_tasks / std::max<int64_t>(1, c.tiles));
    c.slice_rows = ceil_div(std::max(c.piece_rows, ceil_div(s.rows, slices)), c.fold) * c.fold;
    c.slices = ceil_div(s.rows, c.slice_rows);
    return c;
}

// A piece: columns [column, column + width) of rows [row, row + count).
struct Piece {
    int64_t row, count, column, width;
};

template <class F>
void for_pieces(const ColumnCut& c, int64_t task, const F& f) {
    const int64_t column = task / c.slices * c.tile, width = std::min(c.tile, c.cols - column);
    const int64_t first = task % c.slices * c.slice_rows, last = std::min(c.rows, first + c.slice_rows);
    for (int64_t row = first; row < last; row += c.piece_rows) f(Piece{row, std::min(c.piece_rows, last - row), column, width});
}

// Adds one or two terms per column. f(e, w, i) returns the terms of element e; w is its position in the (folded) row i.
struct OneTerm {
    real a;
};
struct TwoTerms {
    real a, b;
};
template <class F>
void add_row(real* acc, int64_t e, int64_t column, int64_t i, int64_t width, const F& f) {
#pragma omp simd
    for (int64_t w = 0; w < width; ++w) {
        const auto t = f(e + w, column + w, i);
        acc[w] += t.a;
        if constexpr (sizeof t == sizeof(TwoTerms)) acc[max_tile + w] += t.b;
    }
}
template <class F>
void add_four_rows(real* acc, int64_t e, int64_t stride, int64_t column, int64_t i, int64_t width, const F& f) {
    const int64_t e1 = e + stride, e2 = e1 + stride, e3 = e2 + stride;
#pragma omp simd
    for (int64_t w = 0; w < width; ++w) {
        const int64_t j = column + w;
        const auto t0 = f(e + w, j, i), t1 = f(e1 + w, j, i + 1), t2 = f(e2 + w, j, i + 2), t3 = f(e3 + w, j, i + 3);
        acc[w] += (t0.a + t1.a) + (t2.a + t3.a);
        if constexpr (sizeof t0 == sizeof(TwoTerms)) acc[max_tile + w] += (t0.b + t1.b) + (t2.b + t3.b);
    }
}

// out[k * max_tile + j] = the piece's sums, k = 0 (and 1).
template <class F>
void sum_piece(real* out, const ColumnCut& c, const Piece& p, const F& f) {
    constexpr int terms = sizeof(f(int64_t(0), int64_t(0), int64_t(0))) / sizeof(real);
    alignas(64) real acc[terms * max_tile];
    const int64_t width = p.width * c.fold, stride = c.cols * c.fold, full = p.count / c.fold;
    for (int k = 0; k < terms; ++k) std::fill_n(acc + k * max_tile, width, real(0));
    int64_t e = p.row * c.cols + p.column, i = p.row / c.fold, r = 0;
    for (; r + 4 <= full; r += 4, e += 4 * stride, i += 4) add_four_rows(acc, e, stride, p.column, i, width, f);
    for (; r < full; ++r, e += stride, ++i) add_row(acc, e, p.column, i, width, f);
    if (const int64_t rest = p.count - full * c.fold) add_row(acc, e, p.column, i, rest * p.width, f);
    for (int k = 0; k < terms; ++k)
        for (int64_t j = 0; j < p.width; ++j) {
            real total = acc[k * max_tile + j];
            for (int64_t m = 1; m < c.fold; ++m) total += acc[k * max_tile + m * p.width + j];
            out[k * max_tile + j] = total;
        }
}

// sums[k * cols + j] = column sums of the terms. Uses scratch slot 0 of the caller.
template <class F>
void column_sums(Stream stream, real* sums, const ColumnCut& c, const F& f) {
    constexpr int terms = sizeof(f(int64_t(0), int64_t(0), int64_t(0))) / sizeof(real);
    const int64_t slice_size = terms * c.cols;
    std::fill_n(sums, slice_size, real(0));
    if (c.tasks() == 0) return;
    real* partial = sums;  // one slice needs no second level
    if (c.slices > 1) partial = static_cast<real*>(scratch(0, c.slices * slice_size * int64_t(sizeof(real))));
    const auto run = [&](int64_t task) {
        real* to = partial + task % c.slices * slice_size;
        const F local = f;
        alignas(64) real piece_sums[terms * max_tile];
        bool first = true;
        for_pieces(c, task, [&](const Piece& p) {
            sum_piece(piece_sums, c, p, local);
            for (int k = 0; k < terms; ++k)
                for (int64_t j = 0; j < p.width; ++j) {
                    real& total = to[k * c.cols + p.column + j];
                    total = first ? piece_sums[k * max_tile + j] : total + piece_sums[k * max_tile + j];
                }
            first = false;
        });
    };
    if (c.tasks() == 1) return run(0);
    parallel_for(stream, c.tasks(), [&](int64_t task) { run(task); });
    if (c.slices == 1) return;
    for (int64_t i = 0; i < c.slices; ++i)
        for (int64_t j = 0; j < slice_size; ++j) sums[j] += partial[i * slice_size + j];
}

// Repeats the `cols` values of a per-column array up to `width` values, as parameters of a folded row.
template <class T>
void repeat(T* values, int64_t cols, int64_t width) {
    for (int64_t j = cols; j < width; ++j) values[j] = values[j - cols];
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
