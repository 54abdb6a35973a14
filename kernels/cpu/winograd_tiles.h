// The transforms between images and the points of their tiles (winograd.h), one tile at a time. They are never inlined, so all
// callers use the same instructions and get the same bits.
#pragma once
#include "kernels/cpu/winograd.h"

namespace gannet::kernels::cpu::GANNET_ISA {

// Avoids strides of a power of two, which would map all points to the same cache sets.
inline int64_t odd_lines(int64_t reals) {
    const int64_t line = 64 / int64_t(sizeof(real));
    return (ceil_div(reals, line) | 1) * line;
}

// The layout of a matrix (tiles, k) at each point: runs of 2^run_bits contiguous values of k, one after another; within a run,
// tiles are `pitch` apart.
struct PointMatrix {
    int points, run_bits;
    int64_t pitch, tiles, depth;
    real* data = nullptr;

    int64_t run_stride = tiles * pitch;
    int64_t point_stride = odd_lines((((depth - 1) >> run_bits) + 1) * run_stride);
    int64_t run() const { return int64_t(1) << run_bits; }
    int64_t size() const { return points * point_stride; }
    real* at(int64_t point, int64_t tile, int64_t k) const {
        return data + point * point_stride + (k >> run_bits) * run_stride + tile * pitch + (k & (run() - 1));
    }
};

inline constexpr int64_t zero_channels = 256;
inline constexpr real zeros[zero_channels] = {};

// Images with a border of zeros. at() returns the address of pixel (h, w) of image n at channel c, or of zeros outside the image.
// At most zero_channels may be read.
struct Image {
    const real* data;
    int64_t rows, cols, channels;
    const real* at(int64_t n, int64_t h, int64_t w, int64_t c) const {
        const bool inside = h >= 0 && h < rows && w >= 0 && w < cols;
        return inside ? data + ((n * rows + h) * cols + w) * channels + c : zeros;
    }
};

// `count` channels starting at k.
template <class F>
__attribute__((noinline)) void image_tile(const PointMatrix& to, int64_t tile, int64_t k, int64_t count,
                                          const real* const (&from)[F::inputs][F::inputs]) {
    const int64_t stride = to.point_stride;
    for (int64_t c = 0; c < count; c += lanes) {
        real* const out = to.at(0, tile, k + c);
        to_points<F>(
            F::image_axis, [&](int i, int j) { return load(from[i][j] + c); },
            [&](int point, vec v) { store(out + point * stride, v); });
    }
}

template <class F>
__attribute__((noinline)) void gradient_tile(const PointMatrix& to, int64_t tile, int64_t k, int64_t count,
                                             const real* const (&from)[F::outputs][F::outputs]) {
    const int64_t stride = to.point_stride;
    for (int64_t c = 0; c < count; c += lanes) {
        real* const out = to.at(0, tile, k + c);
        to_points<F>(
            F::output_axis_adjoint, [&](int i, int j) { return load(from[i][j] + c); },
            [&](int point, vec v) { store(out + point * stride, v); });
    }
}

// Transforms tile number `tile` of the batch for k in [k0, k1): k = (parity of the row, parity of the column, channel).
template <class F>
void transform_image(const PointMatrix& to, int64_t place, int64_t tile, int64_t k0, int64_t k1, const real* x,
                     const ConvShape& s) {
    const TileGrid grid = tile_grid<F>(s);
    const Image image{x, s.H, s.W, s.C};
    const int64_t n = tile / grid.size(), top = tile / grid.cols % grid.rows * (2 * F::outputs) - s.padding,
                  left = tile % grid.cols * (2 * F::outputs) - s.padding;
    for (int64_t k = k0; k < k1;) {
        const int64_t c = k % s.C, phase = k / s.C, count = std::min({zero_channels, s.C - c, k1 - k});
        const real* from[F::inputs][F::inputs];
        for (int i = 0; i < F::inputs; ++i)
            for (int j = 0; j < F::inputs; ++j) from[i][j] = image.at(n, top + 2 * i + phase / 2, left + 2 * j + phase % 2, c);
        image_tile<F>(to, place, k - k0, count, from);
        k += count;
    }
}

template <class F>
void transform_gradient(const PointMatrix& to, int64_t place, int64_t tile, const real* dy, const ConvShape& s) {
    const TileGrid grid = tile_grid<F>(s);
    const Image image{dy, s.P, s.Q, s.OC};
    const int64_t n = tile / grid.size(), top = tile / grid.cols % grid.rows * F::outputs, left = tile % grid.cols * F::outputs;
    for (int64_t k = 0; k < s.OC; k += zero_channels) {
        const real* from[F::outputs][F::outputs];
        for (int i = 0; i < F::outputs; ++i)
            for (int j = 0; j < F::outputs; ++j) from[i][j] = image.at(n, top + i, left + j, k);
        gradient_tile<F>(to, place, k, std::min(zero_channels, s.OC - k), from);
    }
}

// ---- filters ---------------------------------------------------------------------------------------------------------

// Panels [point][panel][k][tile_cols] of U for columns [n0, n0 + cols) and k in [k0, k1). Multiples of 16 throughout.
struct FilterPoints {
    int points;
    int64_t cols, depth;
    real* data = nullptr;

    int64_t panel_stride = depth * tile_cols;
    int64_t point_stride = odd_lines(ceil_div(cols, tile_cols) * panel_stride);
    int64_t size() const { return points * point_stride; }
    real* at(int64_t point, int64_t n, int64_t k) const {
        return data + point * point_stride + n / tile_cols * panel_stride + k * tile_cols + n % tile_cols;
    }
};

// The address of tap (2a + b, 2a' + b') of filter o, with a, a' = 0 and the parities b, b' of `phase`.
inline const real* filter_at(const real* w, const ConvShape& s, int64_t o, int64_t phase, int64_t c) {
    return w + ((o * 4 + phase / 2) * 4 + phase % 2) * s.C + c;
}

// For conv2d: k = (phase, c), n = o.
template <class F>
__attribute__((noinline)) void transform_filter(const FilterPoints& to, const real* w, const ConvShape& s, int64_t n0,
                                                int64_t cols, int64_t k0, int64_t k1) {
    const int64_t stride = to.point_stride, tap[4] = {0, 2 * s.C, 8 * s.C, 10 * s.C};
    for (int64_t n = 0; n < cols; n += lanes)
        for (int64_t k = k0; k < k1; k += lanes) {
            vec g[4][lanes];
            for (int t = 0; t < 4; ++t) {
                for (int i = 0; i < lanes; ++i) g[t][i] = load(filter_at(w, s, n0 + n + i, k / s.C, k % s.C) + tap[t]);
                transpose_block(g[t]);
            }
            for (int i = 0; i < lanes; ++i) {
                real* const out = to.at(0, n, k - k0 + i);
                const vec own[2][2] = {{g[0][i], g[1][i]}, {g[2][i], g[3][i]}};
                to_points<F>(
                    F::filter_axis, [&](int row, int col) { return own[row][col]; },
                    [&](int point, vec v) { store(out + point * stride, v); });
            }
        }
}

// For conv2d_dgrad: k = o, n = (phase, c).
template <class F>
__attribute__((noinline)) void transform_filter_adjoint(const FilterPoints& to, const real* w, const ConvShape& s, int64_t n0,
                                                        int64_t cols, int64_t k0, int64_t k1) {
    const int64_t stride = to.point_stride, tap[4] = {0, 2 * s.C, 8 * s.C, 10 * s.C};
    for (int64_t n = 0; n < cols; n += lanes)
        for (int64_t k = k0; k < k1; ++k) {
            const real* const from = filter_at(w, s, k, (n0 + n) / s.C, (n0 + n) % s.C);
            real* const out = to.at(0, n, k - k0);
            const vec g[2][2] = {{load(from), load(from + tap[1])}, {load(from + tap[2]), load(from + tap[3])}};
            to_points<F>(
                F::filter_axis, [&](int row, int col) { return g[row][col]; },
                [&](int point, vec v) { store(out + point * stride, v); });
        }
}

// ---- results ---------------------------------------------------------------------------------------------------------

template <ActivationKind K>
inline vec finish(vec v, const real* bias, StaticActivation<K> act) {
    if (bias) v += load(bias);
    if constexpr (K != ActivationKind::none) {
        alignas(64) real value[lanes];
        store(value, v);
#pragma omp simd
        for (int i = 0; i < lanes; ++i) value[i] = activate(value[i], act);
        v = load(value);
    }
    return v;
}

// Columns [n0, n0 + cols) of y = act(... + bias) from the sums m, which start at column n0.
template <class F, class Act>
__attribute__((noinline)) void output_tile(real* y, const PointMatrix& m, int64_t place, int64_t tile, int64_t n0, int64_t cols,
                                           const real* bias, const ConvShape& s, Act act) {
    const TileGrid grid = tile_grid<F>(s);
    const int64_t image = tile / grid.size(), top = tile / grid.cols % grid.rows * F::outputs,
                  left = tile % grid.cols * F::outputs;
    const int64_t rows = std::min<int64_t>(F::outputs, s.P - top), columns = std::min<int64_t>(F::outputs, s.Q - left);
    const int64_t stride = m.point_stride;
    real* const corner = y + ((image * s.P + top) * s.Q + left) * s.OC + n0;
    for (int64_t n = 0; n < cols; n += lanes) {
        const real* const from = m.at(0, place, n);
        from_points<F>(
            F::output_axis, [&](int point) { return load(from + point * stride); },
            [&](int i, int j, vec v) {
                if (i < rows && j < columns)
                    store(corner + (i * s.Q + j) * s.OC + n, finish(v, bias ? bias + n0 + n : nullptr, act));
            });
    }
}

// Adds the results of the tiles of one image for one vector of channels. Tiles overlap by one row and column, so a pixel is
// complete after the last tile that covers it.
template <class Act>
struct ImageWriter {
    real* to;  // pixel (0, 0) of the image, at the first channel
    const real* bias;
    const ConvShape& s;
    int64_t phase_row, phase_col;  // the position of the space-to-depth pixel (0, 0) in the image
    Act act;

    void put(int64_t u, int64_t v, vec value) const {
        const int64_t h = 2 * u + phase_row, w = 2 * v + phase_col;
        if (h >= 0 && h < s.H && w >= 0 && w < s.W) store(to + (h * s.W + w) * s.C, finish(value, bias, act));
    }
};

template <class F, class Act>
__attribute__((noinline)) void overlap_tiles(const ImageWriter<Act>& image, const PointMatrix& m, int64_t place, int64_t n) {
    constexpr int last = F::outputs;  // of F::inputs rows and columns, shared with the next tile
    const TileGrid grid = tile_grid<F>(image.s);
    const int64_t stride = m.point_stride;
    vec above[last * most_tiles + 1];  // last row of the tiles above
    for (int64_t j = 0; j <= last * grid.cols; ++j) above[j] = vec{};
    for (int64_t row = 0; row < grid.rows; ++row) {
        vec before[F::inputs] = {};  // the last column of the tile before
        for (int64_t col = 0; col < grid.cols; ++col, ++place) {
            const real* const from = m.at(0, place, n);
            vec d[F::inputs][F::inputs];
            from_points<F>(
                F::image_axis_adjoint, [&](int point) { return load(from + point * stride); },
                [&](int i, int j, vec v) { d[i][j] = v; });
#pragma GCC unroll 8
            for (int i = 0; i < F::inputs; ++i) d[i][0] += before[i], before[i] = d[i][last];
            vec* const shared = above + last * col;
#pragma GCC unroll 8
            for (int j = 0; j < last; ++j) d[0][j] += shared[j], shared[j] = d[last][j];
            for (int i = 0; i < last; ++i)
                for (int j = 0; j < last; ++j) image.put(last * row + i, last * col + j, d[i][j]);
        }
        vec* const corner = above + last * grid.cols;
        before[0] += *corner, *corner = before[last];
        for (int i = 0; i < last; ++i) image.put(last * row + i, last * grid.cols, before[i]);
    }
    for (int64_t j = 0; j <= last * grid.cols; ++j) image.put(last * grid.rows, j, above[j]);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
