// The GEMM used by matmul and the convolutions: C (M,N) = A (M,K) B (K,N), as implicit GEMM. Operands are functors that pack one
// block at a time or allow reading in place, so the matrix of image patches (im2col) is never stored.
//
// Bound by the FMA units if K and N are a few dozen or more: a tile of C stays in registers over the loop on K; A is read from L2
// and the panel of B (block_k x tile_cols, 32 KB) from L1.
//
// Order of the sums: each element of C is one chain over k from first to last (per slice of K, if the caller requests slices).
// The blocking of M, N and K and the distribution over threads do not change the bits.
#pragma once
#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/math.h"

namespace gannet::kernels::cpu::GANNET_ISA {

// The register tile: tile_rows x 2 vectors of C, 2 vectors of B and temporaries.
inline constexpr int tile_rows = vector_bytes == 64 ? 14 : vector_bytes == 32 ? 6 : 4;
inline constexpr int tile_cols = 2 * lanes;
inline constexpr int block_k = 256;
inline constexpr int block_rows = 16 * tile_rows;  // maximum rows of a task, so that the block of A fits in L2

// The use of a thread's scratch slots (parallel.h). Shared slots belong to the caller, the others to a task.
enum ScratchSlot { shared_b_slot, a_slot, b_slot, shared_partial_slot };

inline real* scratch_reals(ScratchSlot slot, int64_t n) { return static_cast<real*>(scratch(slot, n * int64_t(sizeof(real)))); }

// Divides `rows` rows into panels of nearly the same size, at most tile_rows each.
struct RowPanels {
    int64_t rows;
    int64_t count = ceil_div(rows, tile_rows);
    int64_t begin(int64_t panel) const { return rows * panel / count; }
    int size(int64_t panel) const { return int(begin(panel + 1) - begin(panel)); }
};

// Layout of a block of A, [row][k], for operands whose k is contiguous. The pitch avoids cache set conflicts between rows.
struct RowLayout {
    static constexpr int pitch = block_k + 16, row_stride = pitch, k_stride = 1;
    static int64_t size(const RowPanels& panels) { return panels.rows * pitch; }
    static int64_t offset(const RowPanels& panels, int64_t panel) { return panels.begin(panel) * pitch; }
};

// Layout of a block of A, [panel][k][row], for operands whose rows are contiguous.
struct ColumnLayout {
    static constexpr int pitch = (tile_rows + lanes - 1) / lanes * lanes, row_stride = 1, k_stride = pitch;
    static int64_t size(const RowPanels& panels) { return panels.count * block_k * pitch; }
    static int64_t offset(const RowPanels&, int64_t panel) { return panel * block_k * pitch; }
};

// `length` steps of k, starting at step `a` of A's block and `b` reals after the start of B's panel.
struct Run {
    int64_t a, b;
    int length;
};

// ---- packing ---------------------------------------------------------------------------------------------------------

// A stored (M,K).
struct RowsOfA {
    using Layout = RowLayout;
    const real* a;
    int64_t K;

    void pack(real* block, int64_t m0, const RowPanels& panels, int64_t k, int count) const {
        for (int64_t i = 0; i < panels.rows; ++i) copy_run(block + i * RowLayout::pitch, a + (m0 + i) * K + k, count);
    }
};

// A stored (K,M).
struct ColumnsOfA {
    using Layout = ColumnLayout;
    const real* a;
    int64_t M, K;

    void pack(real* block, int64_t m0, const RowPanels& panels, int64_t k, int count) const {
        const real* const end = a + K * M;
        for (int64_t p = 0; p < panels.count; ++p, block += block_k * ColumnLayout::pitch) {
            const real* from = a + k * M + m0 + panels.begin(p);
            const int size = panels.size(p);
            // whole vectors: values beyond the panel are not read
            const auto safe = (end - from - ColumnLayout::pitch) / M + 1;
            const int whole = end - from < ColumnLayout::pitch ? 0 : int(std::min<int64_t>(count, safe));
            real* to = block;
            for (int i = 0; i < whole; ++i, from += M, to += ColumnLayout::pitch)
                for (int j = 0; j < ColumnLayout::pitch; j += lanes) store(to + j, load(from + j));
            for (int i = whole; i < count; ++i, from += M, to += ColumnLayout::pitch) copy_run(to, from, size);
        }
    }
};

// A panel [k][tile_cols] of B stored (K,N): row k at b + k * pitch.
inline void pack_panel(real* panel, const real* b, int64_t pitch, int64_t cols, int64_t count) {
    for (int64_t k = 0; k < count; ++k, panel += tile_cols, b += pitch) {
        copy_run(panel, b, cols);
        if (cols < tile_cols) zero_run(panel + cols, tile_cols - cols);
    }
}

// The same for B stored (N,K): column n at b + n * pitch.
inline void pack_panel_transposed(real* panel, const real* b, int64_t pitch, int64_t cols, int64_t count) {
    for (int n0 = 0; n0 < tile_cols; n0 += lanes) {
        const int used = int(std::clamp<int64_t>(cols - n0, 0, lanes));
        const real* from = b + n0 * pitch;
        real* to = panel + n0;
        int64_t k = 0;
        for (; k + lanes <= count && used > 0; k += lanes) {
            vec block[lanes];
#pragma GCC unroll 16
            for (int n = 0; n < lanes; ++n) block[n] = n < used ? load(from + n * pitch + k) : vec{};
            transpose_block(block);
#pragma GCC unroll 16
            for (int i = 0; i < lanes; ++i) store(to + (k + i) * tile_cols, block[i]);
        }
        for (; k < count; ++k)
            for (int n = 0; n < lanes; ++n) to[k * tile_cols + n] = n < used ? from[n * pitch + k] : real(0);
    }
}

// Packs all of B into panels, [panel][K][tile_cols], in the caller's scratch. pack(panel, n0, cols, k0, count) packs one panel.
template <class Pack>
const real* pack_all(Stream stream, int64_t N, int64_t K, const Pack& pack) {
    const int64_t panels = ceil_div(N, tile_cols), blocks = ceil_div(K, block_k);
    real* packed = scratch_reals(shared_b_slot, panels * K * tile_cols);
    parallel_for(stream, panels * blocks, [&](int64_t task) {
        const int64_t n0 = task / blocks * tile_cols, k0 = task % blocks * block_k;
        pack(packed + n0 * K + k0 * tile_cols, n0, std::min<int64_t>(N - n0, tile_cols), k0, std::min<int64_t>(K - k0, block_k));
    });
    return packed;
}

// ---- the tile --------------------------------------------------------------------------------------------------------

// A panel of B for a tile. The distance between its rows is `step` reals. Steps outside the runs are not multiplied.
struct Panel {
    const real* b;
    int64_t step;
    const Run* runs;
    int run_count;
};

// A panel and the source of the next panel: 2^shift cache lines in each of some rows, `pitch` reals apart. Tiles prefetch one
// line of their share at every k, because a burst of prefetches would occupy the fill buffers that their loads need.
struct PanelAhead : Panel {
    const real* ahead;
    int64_t pitch;
    int shift, next, end;

    // The share of tile `part` of `parts`.
    PanelAhead part(int64_t part, int64_t parts) const {
        PanelAhead mine = *this;
        mine.next = int(end * part / parts), mine.end = int(end * (part + 1) / parts);
        return mine;
    }
    void fetch(int k) const {
        const int line = next + k;
        if (line < end)
            __builtin_prefetch(ahead + (line >> shift) * pitch + (line & ((1 << shift) - 1)) * (64 / int(sizeof(real))), 0, 2);
    }
};

inline const Panel& part_of(const Panel& panel, int64_t, int64_t) { return panel; }
inline PanelAhead part_of(const PanelAhead& panel, int64_t part, int64_t parts) { return panel.part(part, parts); }

// Rows c[0..rows) at column n: c = A B (if `first`) or c += A B over the runs of one k block.
template <int rows, int vecs, class Layout, class Columns>
void tile(real* const* c, int64_t n, const real* a, const Columns& panel, bool first) {
    vec acc[rows][vecs];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < vecs; ++j) acc[i][j] = first ? vec{} : load(c[i] + n + j * lanes);
    for (const Run* run = panel.runs; run != panel.runs + panel.run_count; ++run) {
        const real *from = a + run->a * Layout::k_stride, *row = panel.b + run->b;
        for (int k = 0; k < run->length; ++k, row += panel.step, from += Layout::k_stride) {
            vec column[vecs];
#pragma GCC unroll 2
            for (int j = 0; j < vecs; ++j) column[j] = load(row + j * lanes);
#pragma GCC unroll 16
            for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
                for (int j = 0; j < vecs; ++j) acc[i][j] += from[i * Layout::row_stride] * column[j];
            if constexpr (std::is_same_v<Columns, PanelAhead>) panel.fetch(k);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < vecs; ++j) store(c[i] + n + j * lanes, acc[i][j]);
}

// Panels of pack_all, for all rows of C.
struct PackedPanels {
    const real* packed;
    int64_t K;

    Panel panel(Run* runs, int64_t n, int64_t, int64_t k, int count) const {
        runs[0] = {0, k * tile_cols, count};
        return {packed + n * K, tile_cols, runs, 1};
    }
};

template <class Columns>
using Tile = void (*)(real* const* c, int64_t n, const real* a, const Columns& panel, bool first);

// The tile functions for each number of rows, at index rows - 1.
template <int vecs, class Layout, class Columns, int... i>
constexpr std::array<Tile<Columns>, sizeof...(i)> tiles(std::integer_sequence<int, i...>) {
    return {&tile<i + 1, vecs, Layout, Columns>...};
}

template <class Layout, class Columns>
void run_tile(int rows, int64_t cols, real* const* c, int64_t n, const real* a, const Columns& panel, bool first) {
    static constexpr auto one = tiles<1, Layout, Columns>(std::make_integer_sequence<int, tile_rows>());
    static constexpr auto two = tiles<2, Layout, Columns>(std::make_integer_sequence<int, tile_rows>());
    const auto& fit = cols <= lanes ? one : two;
    if (cols == lanes || cols == tile_cols) return fit[rows - 1](c, n, a, panel, first);
    // partial columns use a full temporary tile
    alignas(64) real full[tile_rows * tile_cols];
    real* full_rows[tile_rows] = {};
    for (int i = 0; i < rows; ++i) {
        full_rows[i] = full + i * tile_cols;
        if (first) continue;
        copy_run(full_rows[i], c[i] + n, cols);
        zero_run(full_rows[i] + cols, tile_cols - cols);
    }
    fit[rows - 1](full_rows, 0, a, panel, first);
    for (int i = 0; i < rows; ++i) copy_run(c[i] + n, full_rows[i], cols);
}

// ---- blocks ----------------------------------------------------------------------------------------------------------

// Computes c[i][0..cols) for rows i < rows (<= block_rows), from the rows of A from m0 on and the columns of B from n0 on, over k
// in [k0, k1). An empty range gives 0.
//   a.pack(block, m0, panels, k, count)     packs rows m0.. and `count` steps from k on, in the layout A::Layout
//   b.panel(runs, n, cols, k, count)        the Panel of columns from n on (a multiple of tile_cols); writes its runs (<= count)
template <class A, class B>
void multiply_block(real* const* c, int64_t rows, int64_t cols, const A& a, const B& b, int64_t m0, int64_t n0, int64_t k0,
                    int64_t k1) {
    using Layout = typename A::Layout;
    if (k0 >= k1) {
        for (int64_t i = 0; i < rows; ++i) zero_run(c[i], cols);
        return;
    }
    const RowPanels panels{rows};
    real* const block = scratch_reals(a_slot, Layout::size(panels));
    Run runs[block_k];
    for (int64_t k = k0; k < k1; k += block_k) {
        const int count = int(std::min<int64_t>(block_k, k1 - k));
        a.pack(block, m0, panels, k, count);
        for (int64_t n = 0; n < cols; n += tile_cols) {
            const int64_t width = std::min<int64_t>(tile_cols, cols - n);
            const auto panel = b.panel(runs, n0 + n, width, k, count);
            for (int64_t p = 0; p < panels.count; ++p) {
                const real* const rows_of_a = block + Layout::offset(panels, p);
                run_tile<Layout>(panels.size(p), width, c + panels.begin(p), n, rows_of_a, part_of(panel, p, panels.count),
                                 k == k0);
            }
        }
    }
}

// c[i][j] = act(c[i][j] + bias[j]), bias may be null.
inline void finish_rows(real* const* c, int64_t rows, int64_t cols, const real* bias, Activation act) {
    if (!bias && act.kind == ActivationKind::none) return;
    with_activation(act, [&](auto a) {
        for (int64_t i = 0; i < rows; ++i) {
            real* const row = c[i];
            if (bias) {
#pragma omp simd
                for (int64_t j = 0; j < cols; ++j) row[j] = activate(row[j] + bias[j], a);
            } else {
#pragma omp simd
                for (int64_t j = 0; j < cols; ++j) row[j] = activate(row[j], a);
            }
        }
    });
}

// ---- whole GEMMs -----------------------------------------------------------------------------------------------------

// The split of a GEMM: rows x cols of C per task, and slices of K. It depends only on the shape.
struct Cut {
    int64_t rows, cols, slices;
    int64_t row_blocks, col_blocks;
    bool by_rows;  // the order of tasks, which decides each thread's share
    int64_t tasks() const { return row_blocks * col_blocks * slices; }
};

// Splits C into tasks of at most max_rows x 256, or narrower (64) if there would be few tasks.
inline Cut cut_product(int64_t M, int64_t N, int64_t max_rows, int64_t slices) {
    Cut cut{};
    cut.slices = slices;
    cut.row_blocks = ceil_div(M, max_rows);
    cut.rows = ceil_div(M, cut.row_blocks);
    cut.cols = 256;
    while (cut.cols > 64 && cut.row_blocks * ceil_div(N, cut.cols) * slices < 32) cut.cols /= 2;
    cut.col_blocks = ceil_div(N, cut.cols);
    return cut;
}

// c (M,N) = act(the sum of `slices` such matrices in order + bias).
inline void add_slices(real* c, int64_t M, int64_t N, const real* partial, int64_t slices, const real* bias, Activation act,
                       Stream stream) {
    const int64_t rows_per_task = std::clamp<int64_t>(8192 / N, 1, block_rows);
    parallel_for(stream, ceil_div(M, rows_per_task), [&](int64_t task) {
        const int64_t m0 = task * rows_per_task, rows = std::min(rows_per_task, M - m0);
        const int64_t begin = m0 * N, end = begin + rows * N;
        for (int64_t slice = 1; slice < slices; ++slice) {
            const real *before = slice == 1 ? partial : c, *add = partial + slice * M * N;
            for (int64_t i = begin; i < end; ++i) c[i] = before[i] + add[i];
        }
        real* row[block_rows];
        for (int64_t i = 0; i < rows; ++i) row[i] = c + (m0 + i) * N;
        finish_rows(row, rows, N, bias, act);
    });
}

// C (M,N), row-major = act(A B + bias).
template <class A, class B>
void multiply(real* c, int64_t M, int64_t N, int64_t K, const A& a, const B& b, const Cut& cut, const real* bias, Activation act,
              Stream stream) {
    real* const partial = cut.slices > 1 ? scratch_reals(shared_partial_slot, cut.slices * M * N) : c;
    parallel_for(stream, cut.tasks(), [&](int64_t task) {
        const int64_t slice = task % cut.slices, block = task / cut.slices;
        const int64_t m0 = (cut.by_rows ? block / cut.col_blocks : block % cut.row_blocks) * cut.rows,
                      n0 = (cut.by_rows ? block % cut.col_blocks : block / cut.row_blocks) * cut.cols;
        const int64_t rows = std::min(cut.rows, M - m0), cols = std::min(cut.cols, N - n0);
        if (rows <= 0) return;  // the last block may be empty
        real* row[block_rows];
        for (int64_t i = 0; i < rows; ++i) row[i] = partial + (slice * M + m0 + i) * N + n0;
        multiply_block(row, rows, cols, a, b, m0, n0, K * slice / cut.slices, K * (slice + 1) / cut.slices);
        if (cut.slices == 1) finish_rows(row, rows, cols, bias ? bias + n0 : nullptr, act);
    });
    if (cut.slices > 1) add_slices(c, M, N, partial, cut.slices, bias, act, stream);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
