// conv2d and conv2d_dgrad by Winograd (winograd.h): transform tiles to points, multiply by the filter at each point, and
// transform back. The two are one algorithm with different transforms.
//
// The transformed filter is 6.25 times as large as the filter (F7: 16 times). The number of tiles that share it decides when it
// is computed. This does not change the bits.
#pragma once
#include "kernels/cpu/winograd_tiles.h"

namespace gannet::kernels::cpu::GANNET_ISA {

inline constexpr int64_t tiles_at_once = 64;

template <class F>
struct WinogradConv {
    real* out;
    const real *in, *w, *bias;
    const ConvShape& s;
    Activation act;
    bool adjoint;

    TileGrid grid = tile_grid<F>(s);
    int64_t depth = adjoint ? s.OC : 4 * s.C, cols = adjoint ? 4 * s.C : s.OC;

    PointMatrix tile_points(int64_t tiles) const {
        return {.points = F::points, .run_bits = 8, .pitch = RowLayout::pitch, .tiles = tiles, .depth = depth};
    }
    PointMatrix sums(int64_t tiles, int64_t columns) const {
        return {.points = F::points, .run_bits = 30, .pitch = odd_lines(columns), .tiles = tiles, .depth = columns};
    }
    void to_points(const PointMatrix& to, int64_t place, int64_t tile) const {
        if (adjoint) transform_gradient<F>(to, place, tile, in, s);
        else transform_image<F>(to, place, tile, 0, depth, in, s);
    }
    void filter_points(const FilterPoints& to, int64_t n0, int64_t columns, int64_t k0, int64_t k1) const {
        if (adjoint) transform_filter_adjoint<F>(to, w, s, n0, columns, k0, k1);
        else transform_filter<F>(to, w, s, n0, columns, k0, k1);
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
                        overlap_tiles<F>(writer, m, image * grid.size(), n);
                    }
            } else {
                for (int64_t place = 0; place < images * grid.size(); ++place)
                    output_tile<F>(out, m, place, image0 * grid.size() + place, n0, columns, bias, s, a);
            }
        });
    }
};

// All columns of m = v u over k in [k0, k1), added to m if k0 > 0. u begins at the columns of m and at k0.
inline void multiply_points(const PointMatrix& m, const PointMatrix& v, const FilterPoints& u, int64_t k0, int64_t k1) {
    const RowPanels panels{m.tiles};
    for (int point = 0; point < m.points; ++point)
        for (int64_t k = k0, next = k; k < k1; k = next) {
            next = std::min(k1, (k / v.run() + 1) * v.run());
            const Run run{0, 0, int(next - k)};
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

// For few tiles: a task computes some columns of all tiles, and transforms the filter piece by piece, so that a piece stays in
// L2. All tasks read the points of all tiles; those of many tiles would not fit in L3.
template <class F>
void convolve_few_tiles(const WinogradConv<F>& d, Stream stream) {
    constexpr int64_t columns = 32, piece = F::points > 32 ? 64 : 128;  // the points of a piece take about half a megabyte
    constexpr int64_t most_bytes = int64_t(8) << 20;
    static_assert(columns % tile_cols == 0);
    const int64_t per_image = d.grid.size(), bytes = d.tile_points(per_image).size() * int64_t(sizeof(real));
    const int64_t chunks = ceil_div(d.s.N * bytes, most_bytes), images = ceil_div(d.s.N, chunks);
    for (int64_t image = 0; image < d.s.N; image += images) {
        const int64_t count = std::min(images, d.s.N - image), mine = count * per_image;
        PointMatrix v = d.tile_points(mine);
        v.data = scratch_reals(shared_b_slot, v.size());
        parallel_for(stream, mine, [&](int64_t i) { d.to_points(v, i, image * per_image + i); });
        parallel_for(stream, ceil_div(d.cols, columns), [&](int64_t task) {
            const int64_t n0 = task * columns, width = std::min(columns, d.cols - n0);
            PointMatrix m = d.sums(mine, width);
            FilterPoints u{F::points, width, piece};
            m.data = scratch_reals(a_slot, m.size() + u.size());
            u.data = m.data + m.size();
            for (int64_t k = 0; k < d.depth; k += piece) {
                const int64_t end = std::min(d.depth, k + piece);
                d.filter_points(u, n0, width, k, end);
                multiply_points(m, v, u, k, end);
            }
            d.write(m, image, count, n0, width);
        });
    }
}

// For many tiles: a task processes a few images completely, in its own scratch, so that the data of a chunk (2-10 MB) stay in the
// caches. All tasks share the transformed filter.
template <class F>
void convolve_many_tiles(const WinogradConv<F>& d, Stream stream) {
    const int64_t per_image = d.grid.size(), images = std::max<int64_t>(1, tiles_at_once / per_image);
    FilterPoints u{F::points, d.cols, d.depth};
    u.data = scratch_reals(shared_b_slot, u.size());
    constexpr int64_t piece = 64;
    const int64_t pieces = ceil_div(d.depth, piece);
    parallel_for(stream, pieces * ceil_div(d.cols, tile_cols), [&](int64_t task) {
        const int64_t n0 = task / pieces * tile_cols, k0 = task % pieces * piece;
        FilterPoints part = u;
        part.data = u.at(0, n0, k0);
        d.filter_points(part, n0, std::min<int64_t>(tile_cols, d.cols - n0), k0, std::min(d.depth, k0 + piece));
    });
    parallel_for(stream, ceil_div(d.s.N, images), [&](int64_t task) {
        const int64_t image = task * images, count = std::min(images, d.s.N - image), mine = count * per_image;
        PointMatrix v = d.tile_points(mine), m = d.sums(mine, d.cols);
        m.data = scratch_reals(a_slot, v.size() + m.size());
        v.data = m.data + m.size();
        for (int64_t i = 0; i < mine; ++i) d.to_points(v, i, image * per_image + i);
        multiply_points(m, v, u, 0, d.depth);
        d.write(m, image, count, 0, d.cols);
    });
}

template <class F>
void winograd_convolve(const WinogradConv<F>& d, Stream stream) {
    if (d.s.N * d.grid.size() <= 512) convolve_few_tiles(d, stream);
    else convolve_many_tiles(d, stream);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
