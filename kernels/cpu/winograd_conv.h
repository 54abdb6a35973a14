// conv2d and conv2d_dgrad by minimal filtering (winograd.h): tiles to points, 25 products with the filter's points, and back. The
// two are one algorithm, of other transforms.
//
// The filter's points, 6.25 times its size, are made once a call: 16 C OC reals read and 100 C OC written. Many tiles: a task is
// a few images from beginning to end, in its own scratch, where the data of a chunk (2-10 MB) stays in the caches. Few tiles: all
// tasks share the tiles' points too, and each has a block of columns. Which of the two does not change a bit.
#pragma once
#include "kernels/cpu/winograd_tiles.h"

namespace gannet::kernels::cpu::GANNET_ISA {

inline constexpr int64_t tiles_at_once = 64;

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

// Columns [n0, n0 + m.depth) of tiles [first, first + m.tiles) of the products.
inline void multiply_points(const PointMatrix& m, const PointMatrix& v, int64_t first, const FilterPoints& u, int64_t n0) {
    const RowPanels panels{m.tiles};
    for (int point = 0; point < points; ++point)
        for (int64_t k = 0; k < v.depth; k += v.run()) {
            const Run run{0, 0, int(std::min(v.run(), v.depth - k))};
            for (int64_t n = 0; n < m.depth; n += tile_cols) {
                const Panel panel{u.at(point, n0 + n, k), tile_cols, &run, 1};
                for (int64_t p = 0; p < panels.count; ++p) {
                    real* row[tile_rows];
                    for (int i = 0; i < panels.size(p); ++i) row[i] = m.at(point, panels.begin(p) + i, 0);
                    run_tile<RowLayout>(panels.size(p), std::min<int64_t>(tile_cols, m.depth - n), row, n,
                                        v.at(point, first + panels.begin(p), k), panel, k == 0);
                }
            }
        }
}

// One piece of the filter's points.
inline void pack_points(const WinogradConv& d, const FilterPoints& u, int64_t task, int64_t pieces, int64_t piece) {
    const int64_t n0 = task / pieces * tile_cols, k0 = task % pieces * piece;
    FilterPoints part = u;
    part.data = u.at(0, n0, k0);
    d.filter_points(part, n0, std::min<int64_t>(tile_cols, d.cols - n0), k0, std::min(d.depth, k0 + piece));
}

inline void winograd_convolve(const WinogradConv& d) {
    const int64_t per_image = d.grid.size(), images = std::max<int64_t>(1, tiles_at_once / per_image);
    const int64_t chunks = ceil_div(d.s.N, images), tiles = d.s.N * per_image;
    const bool shared = chunks < 4;
    FilterPoints u{d.cols, d.depth};
    PointMatrix all = d.tile_points(shared ? tiles : 0);
    u.data = scratch_reals(shared_b_slot, u.size() + all.size());
    all.data = u.data + u.size();
    constexpr int64_t piece = 64;
    const int64_t pieces = ceil_div(d.depth, piece), packings = pieces * ceil_div(d.cols, tile_cols);
    parallel_for(packings + all.tiles, [&](int64_t task) {
        if (task < packings) pack_points(d, u, task, pieces, piece);
        else d.to_points(all, task - packings, task - packings);
    });
    const int64_t columns = shared ? std::min<int64_t>(d.cols, 128) : d.cols;
    parallel_for(chunks * ceil_div(d.cols, columns), [&](int64_t task) {
        const int64_t image = task % chunks * images, count = std::min(images, d.s.N - image), mine = count * per_image;
        const int64_t n0 = task / chunks * columns, width = std::min(columns, d.cols - n0);
        PointMatrix v = d.tile_points(shared ? 0 : mine), m = d.sums(mine, width);
        m.data = scratch_reals(a_slot, v.size() + m.size());
        v.data = m.data + m.size();
        for (int64_t i = 0; i < v.tiles; ++i) d.to_points(v, i, image * per_image + i);
        multiply_points(m, shared ? all : v, shared ? image * per_image : 0, u, n0);
        d.write(m, image, count, n0, width);
    });
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
