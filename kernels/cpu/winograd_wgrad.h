// conv2d_wgrad by Winograd (winograd.h): at each point, dW (OC) x (4 C) is a sum of outer products over the tiles.
//
// Few tiles: a task computes a block of columns over all tiles. It transforms its part of x; all tasks share the points of dy.
// Many tiles: a task computes a slice of the tiles. It transforms its parts of x and dy and has its own sums, which the last
// transform adds in order.
#pragma once
#include "kernels/cpu/winograd_tiles.h"

namespace gannet::kernels::cpu::GANNET_ISA {

// Rows of the matrix product: blocks of 128 channels [block][tile][channel], read by tile<> along the channels.
struct BlockLayout {
    static constexpr int bits = 7, row_stride = 1, k_stride = 128 + 16;
};

template <class F>
PointMatrix gradient_points(int64_t tiles, const ConvShape& s) {
    return {.points = F::points, .run_bits = BlockLayout::bits, .pitch = BlockLayout::k_stride, .tiles = tiles, .depth = s.OC};
}
// Columns: panels [panel][tile][tile_cols].
template <class F>
PointMatrix image_points(int64_t tiles, int64_t columns) {
    constexpr int bits = tile_cols == 32 ? 5 : tile_cols == 16 ? 4 : tile_cols == 8 ? 3 : 2;
    static_assert(1 << bits == tile_cols);
    return {.points = F::points, .run_bits = bits, .pitch = tile_cols, .tiles = tiles, .depth = columns};
}
// The sums, [channel of dy][columns].
template <class F>
PointMatrix filter_sums(int64_t columns, const ConvShape& s) {
    return {.points = F::points, .run_bits = 30, .pitch = odd_lines(columns), .tiles = s.OC, .depth = columns};
}

// The sums of one block exceed L2.
inline void prefetch_columns(const real* row) {
    for (int i = 0; i < tile_cols; i += 64 / int(sizeof(real))) __builtin_prefetch(row + i);
}

// Adds the outer products of tiles [begin, begin + count) to sums. The tiles of both operands are numbered from `begin`.
inline void add_outer_products(const PointMatrix& sums, const PointMatrix& dy, int64_t dy_begin, const PointMatrix& x,
                               int64_t x_begin, int64_t count, bool first) {
    const Run run{0, 0, int(count)};
    for (int point = 0; point < sums.points; ++point)
        for (int64_t o = 0; o < sums.tiles; o += dy.run()) {
            const RowPanels panels{std::min(dy.run(), sums.tiles - o)};
            for (int64_t n = 0; n < sums.depth; n += tile_cols) {
                const Panel panel{x.at(point, x_begin, n), tile_cols, &run, 1};
                for (int64_t p = 0; p < panels.count; ++p) {
                    const int64_t begin = o + panels.begin(p), next = std::min(begin + panels.size(p), sums.tiles - 1);
                    for (int64_t i = next; i < std::min(next + tile_rows, sums.tiles); ++i)
                        prefetch_columns(sums.at(point, i, n));
                    real* row[tile_rows];
                    for (int i = 0; i < panels.size(p); ++i) row[i] = sums.at(point, begin + i, 0);
                    run_tile<BlockLayout>(panels.size(p), std::min<int64_t>(tile_cols, sums.depth - n), row, n,
                                          dy.at(point, dy_begin, begin), panel, first);
                }
            }
        }
}

// Columns [n0, n0 + sums.depth) of row o of dw, from the total of `slices` sums, which are `size` apart.
template <class F>
__attribute__((noinline)) void filter_row(real* dw, const PointMatrix& sums, int64_t slices, int64_t o, int64_t n0,
                                          const ConvShape& s) {
    for (int64_t n = 0; n < sums.depth; n += lanes) {
        const real* const from = sums.at(0, o, n);
        vec m[F::points];
        for (int point = 0; point < F::points; ++point) m[point] = load(from + point * sums.point_stride);
        for (int64_t slice = 1; slice < slices; ++slice)
            for (int point = 0; point < F::points; ++point)
                m[point] += load(from + slice * sums.size() + point * sums.point_stride);
        real* const to = dw + (filter_at(dw, s, o, (n0 + n) / s.C, (n0 + n) % s.C) - dw);
        from_points<F>(
            F::filter_axis_adjoint, [&](int point) { return m[point]; },
            [&](int i, int j, vec v) { store(to + (8 * i + 2 * j) * s.C, v); });
    }
}

inline constexpr int64_t wgrad_tiles = 128;

template <class F>
void winograd_wgrad_by_columns(real* dw, const real* x, const real* dy, const ConvShape& s, Stream stream) {
    const int64_t tiles = s.N * tile_grid<F>(s).size();
    PointMatrix of_dy = gradient_points<F>(tiles, s);
    of_dy.data = scratch_reals(shared_b_slot, of_dy.size());
    parallel_for(stream, tiles, [&](int64_t tile) { transform_gradient<F>(of_dy, tile, tile, dy, s); });
    // the points of dy are read once for each block of columns, the sums once for each batch of tiles
    const int64_t columns = tiles <= wgrad_tiles ? 32 : 64;
    parallel_for(stream, 4 * s.C / columns, [&](int64_t task) {
        const int64_t n0 = task * columns;
        PointMatrix of_x = image_points<F>(wgrad_tiles, columns), sums = filter_sums<F>(columns, s);
        of_x.data = scratch_reals(a_slot, of_x.size() + sums.size());
        sums.data = of_x.data + of_x.size();
        for (int64_t begin = 0; begin < tiles; begin += wgrad_tiles) {
            const int64_t count = std::min(wgrad_tiles, tiles - begin);
            for (int64_t i = 0; i < count; ++i) transform_image<F>(of_x, i, begin + i, n0, n0 + columns, x, s);
            add_outer_products(sums, of_dy, begin, of_x, 0, count, begin == 0);
        }
        for (int64_t o = 0; o < s.OC; ++o) filter_row<F>(dw, sums, 1, o, n0, s);
    });
}

template <class F>
void winograd_wgrad_by_slices(real* dw, const real* x, const real* dy, const ConvShape& s, Stream stream) {
    const int64_t tiles = s.N * tile_grid<F>(s).size();
    PointMatrix sums = filter_sums<F>(4 * s.C, s);
    // the sums of all slices take about 32 MB
    const int64_t slices = std::clamp<int64_t>((int64_t(1) << 23) / sums.size(), 2, 8);
    sums.data = scratch_reals(shared_partial_slot, slices * sums.size());
    parallel_for(stream, slices, [&](int64_t slice) {
        PointMatrix of_x = image_points<F>(wgrad_tiles, 4 * s.C), of_dy = gradient_points<F>(wgrad_tiles, s), mine = sums;
        of_x.data = scratch_reals(a_slot, of_x.size() + of_dy.size());
        of_dy.data = of_x.data + of_x.size();
        mine.data += slice * sums.size();
        const int64_t first = tiles * slice / slices, last = tiles * (slice + 1) / slices;
        for (int64_t begin = first; begin < last; begin += wgrad_tiles) {
            const int64_t count = std::min(wgrad_tiles, last - begin);
            for (int64_t i = 0; i < count; ++i) {
                transform_image<F>(of_x, i, begin + i, 0, 4 * s.C, x, s);
                transform_gradient<F>(of_dy, i, begin + i, dy, s);
            }
            add_outer_products(mine, of_dy, 0, of_x, 0, count, begin == first);
        }
    });
    parallel_for(stream, s.OC, [&](int64_t o) { filter_row<F>(dw, sums, slices, o, 0, s); });
}

template <class F>
void winograd_wgrad(real* dw, const real* x, const real* dy, const ConvShape& s, Stream stream) {
    if (s.N * tile_grid<F>(s).size() <= 256) winograd_wgrad_by_columns<F>(dw, x, dy, s, stream);
    else winograd_wgrad_by_slices<F>(dw, x, dy, s, stream);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
