// conv2d and conv2d_dgrad by minimal filtering (winograd.h): tiles to points, 25 products with the filter's points, and back. The
// two are one algorithm, of other transforms.
//
// Many tiles: the filter's points are made once, and a task is a few images from beginning to end, in its own scratch, where the
// data of a chunk (2-10 MB) stays in the caches. Few tiles: the filter's points would be the larger side, 6.25 times the filter;
// there all tasks share the tiles' points, and each makes the filter's for its own columns, a piece at a time, in the second
// cache.
#pragma once
#include "kernels/cpu/winograd_tiles.h"

namespace gannet::kernels::cpu::GANNET_ISA {

struct WinogradConv {
    real* out;
    const real *in, *w, *bias;
    const ConvShape& s;
    Activation act;
    bool adjoint;

    TileGrid grid = tile_grid(s);
    int64_t depth = adjoint ? s.OC : 4 * s.C, cols = adjoint ? 4 * s.C : s.OC;

    PointMatrix tile_points(int64_t tiles) const {
        return {.run_bits = 8, .pitch = RowLayout::pitch, .tiles = tiles, .depth = depth};
    }
    PointMatrix sums(int64_t tiles, int64_t columns) const {
        return {.run_bits = 30, .pitch = odd_lines(columns), .tiles = tiles, .depth = columns};
    }
    void to_points(const PointMatrix& to, int64_t place, int64_t tile) const {
        if (adjoint) transform_gradient(to, place, tile, in, s);
        else transform_image(to, place, tile, 0, depth, in, s);
    }
    void filter_points(const FilterPoints& to, int64_t n0, int64_t columns, int64_t k0, int64_t k1) const {
        if (adjoint) transform_filter_adjoint(to, w, s, n0, columns, k0, k1);
        else transform_filter(to, w, s, n0, columns, k0, k1);
    }

    // Columns [n0, n0 + columns) of whole images from their sums.
    void write(const PointMatrix& m, int64_t image0, int64_t images, int64_t n0, int64_t columns) const {
        with_activation(act, [&](auto a) {
            if (adjoint) {
                for (int64_t image = 0; image < images; ++image)
                    for (int64_t n = 0; n < columns; n += lanes) {
                        const int64_t c = (n0 + n) % s.C, phase = (n0 + n) / s.C;
                        const ImageWriter<decltype(a)> writer{out + (image0 + image) * s.H * s.W * s.C + c,
                                                              bias ? bias + c : nullptr,
                                                              s,
                                                              phase / 2 - s.padding,
                                                              phase % 2 - s.padding,
                                                              a};
                        overlap_tiles(writer, m, image * grid.size(), n);
                    }
            } else {
                for (int64_t place = 0; place < images * grid.size(); ++place)
                    output_tile(out, m, place, image0 * grid.size() + place, n0, columns, bias, s, a);
            }
        });
    }
};

// m (+)= the products over k in [k0, k1), u's k counted from k0; the first overwrite.
inline void multiply_points(const PointMatrix& m, const PointMatrix& v, const FilterPoints& u, int64_t k0, int64_t k1) {
    const RowPanels panels{m.tiles};
    for (int point = 0; point < points; ++point)
        for (int64_t k = k0, end; k < k1; k = end) {
            end = std::min(k1, (k / v.run() + 1) * v.run());
            const Run run{0, 0, int(end - k)};
            for (int64_t n = 0; n < m.depth; n += tile_cols) {
                const Panel panel{u.at(point, n, k - k0), tile_cols, &run, 1};
                for (int64_t p = 0; p < panels.count; ++p) {
                    real* row[tile_rows];
                    for (int i = 0; i < panels.size(p); ++i) row[i] = m.at(point, panels.begin(p) + i, 0);
                    run_tile<RowLayout>(panels.size(p), std::min<int64_t>(tile_cols, m.depth - n), row, n,
                                        v.at(point, panels.begin(p), k), panel, k == 0);
                }
            }
        }
}

inline void winograd_by_images(const WinogradConv& d) {
    FilterPoints u{d.cols, d.depth};
    u.data = scratch_reals(shared_b_slot, u.size());
    constexpr int64_t piece = 64;
    const int64_t pieces = ceil_div(d.depth, piece);
    parallel_for(pieces * ceil_div(d.cols, tile_cols), [&](int64_t task) {
        const int64_t n0 = task / pieces * tile_cols, k0 = task % pieces * piece;
        FilterPoints part = u;
        part.data = u.at(0, n0, k0);
        d.filter_points(part, n0, std::min<int64_t>(tile_cols, d.cols - n0), k0, std::min(d.depth, k0 + piece));
    });
    const int64_t images = std::max<int64_t>(1, 64 / d.grid.size());
    parallel_for(ceil_div(d.s.N, images), [&](int64_t task) {
        const int64_t first = task * images, count = std::min(images, d.s.N - first), tiles = count * d.grid.size();
        PointMatrix v = d.tile_points(tiles), m = d.sums(tiles, d.cols);
        v.data = scratch_reals(a_slot, v.size() + m.size());
        m.data = v.data + v.size();
        for (int64_t i = 0; i < tiles; ++i) d.to_points(v, i, first * d.grid.size() + i);
        multiply_points(m, v, u, 0, d.depth);
        d.write(m, first, count, 0, d.cols);
    });
}

inline void winograd_by_columns(const WinogradConv& d) {
    const int64_t tiles = d.s.N * d.grid.size();
    PointMatrix v = d.tile_points(tiles);
    v.data = scratch_reals(shared_b_slot, v.size());
    parallel_for(tiles, [&](int64_t tile) { d.to_points(v, tile, tile); });
    constexpr int64_t columns = 32, piece = 64;
    parallel_for(ceil_div(d.cols, columns), [&](int64_t task) {
        const int64_t n0 = task * columns, width = std::min(columns, d.cols - n0);
        FilterPoints u{columns, piece};
        PointMatrix m = d.sums(tiles, width);
        m.data = scratch_reals(a_slot, m.size() + u.size());
        u.data = m.data + m.size();
        for (int64_t k = 0; k < d.depth; k += piece) {
            const int64_t end = std::min(d.depth, k + piece);
            d.filter_points(u, n0, width, k, end);
            multiply_points(m, v, u, k, end);
        }
        d.write(m, 0, d.s.N, n0, width);
    });
}

// Which of the two does not change a bit.
inline void winograd_convolve(const WinogradConv& d) {
    if (d.s.N * d.grid.size() <= 192) winograd_by_columns(d);
    else winograd_by_images(d);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
