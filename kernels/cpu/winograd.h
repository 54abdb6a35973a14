// Minimal filtering (Winograd; Lavin and Gray, arXiv 1509.09308) of 4x4 filters with stride 2.
//
// Space to depth turns the padded image into half its size and four times its channels, (row parity, column parity, channel), and
// the filter into a 2x2 filter of stride 1: the decomposition of DWM, arXiv 2002.00552. F(4x4,2x2) makes 4x4 outputs of 5x5
// inputs with 25 products instead of 64, at the points 0, 1, -1, 2 and infinity of each axis. One set of matrices serves all
// passes:
//
//   conv2d        y  = A^T [U . (B^T x B)] A               a sum over 4 C at each of 25 points, U = G w G^T
//   conv2d_dgrad  dx = B [U . (A dy A^T)] B^T              a sum over OC; 5x5 results, neighbours overlap by one
//   conv2d_wgrad  dw = G^T [sum over tiles (A dy A^T) (x) (B^T x B)] G
//
// 200 C OC flops a tile instead of 512, bound by the multiply-adders; the transforms move 4 (25 + 16) bytes per tile and channel
// on each side, in cache, about a fifth of the time at 64 channels. Errors grow by about two bits (a table of them is a test).
//
// The order of sums: a point's sum is one chain over k, and the transforms are the same instructions for every tile, so a range
// of a batch gives the same bits alone.
#pragma once
#include "kernels/cpu/gemm.h"
#include "kernels/precision.h"

namespace gannet::kernels::cpu::GANNET_ISA {

inline constexpr int points = 25, outputs = 4, inputs = 5;  // of a tile; the latter two along an axis

// The tiles of the outputs P x Q; those at the end may hang over.
struct TileGrid {
    int64_t rows, cols;
    int64_t size() const { return rows * cols; }
};
inline TileGrid tile_grid(const ConvShape& s) { return {ceil_div(s.P, outputs), ceil_div(s.Q, outputs)}; }

inline constexpr int channel_multiple = 16;
inline constexpr int64_t most_tiles = 256;  // of an image: its tiles are a task's

// How many (output, tap) pairs of an axis lie inside the image: what the direct form multiplies.
inline int64_t taps_inside(int64_t extent, int64_t count, int64_t padding) {
    int64_t taps = 0;
    for (int64_t o = 0; o < count; ++o)
        for (int64_t i = 2 * o - padding; i < 2 * o - padding + 4; ++i) taps += i >= 0 && i < extent;
    return taps;
}

// Whether it pays: multiply-adds of one image. N plays no part, or a range of a batch would have other bits than the whole,
// though a batch of a few small images of many channels pays more for the filter's transform than it gains. transform_cost, for
// each point and channel of a tile, is where 12x12x128 and 14x14x32 images, which gain nothing, and 20x20x64, which do, are told
// apart.
inline bool winograd_pays(const ConvShape& s) {
    constexpr double transform_cost = 24;
    if (exact_convolutions() || s.R != 4 || s.S != 4 || s.stride != 2 || s.C % channel_multiple || s.OC % channel_multiple)
        return false;
    if (s.C < 32 || s.OC < 32 || s.P < 1 || s.Q < 1) return false;
    const TileGrid grid = tile_grid(s);
    if (grid.size() > most_tiles) return false;
    // the last pixels, if no tile reaches them
    if ((s.H - 1 + s.padding) / 2 > outputs * grid.rows || (s.W - 1 + s.padding) / 2 > outputs * grid.cols) return false;
    const double channels = double(s.C) * double(s.OC), sides = double(4 * s.C + s.OC);
    const double here = points * double(grid.size()) * (4 * channels + transform_cost * sides);
    return here < double(taps_inside(s.H, s.P, s.padding) * taps_inside(s.W, s.Q, s.padding)) * channels;
}

// ---- one axis --------------------------------------------------------------------------------------------------------

// t = B^T d
inline void image_axis(vec (&t)[5], vec d0, vec d1, vec d2, vec d3, vec d4) {
    const real two = 2;
    const vec e = d3 - d1, f = d3 - d2;
    t[0] = two * (d0 - d2) + e;
    t[1] = f - two * d1;
    t[2] = f + two * (d1 - d2);
    t[3] = e;
    t[4] = (d4 - d2) - two * e;
}

// t = B m, the transposed
inline void image_axis_adjoint(vec (&t)[5], vec m0, vec m1, vec m2, vec m3, vec m4) {
    const real two = 2, three = 3;
    const vec e = m0 + m3;
    t[0] = two * m0;
    t[1] = two * (m2 - m1 + m4) - e;
    t[2] = -(two * m0 + m1 + three * m2 + m4);
    t[3] = e + m1 + m2 - two * m4;
    t[4] = m4;
}

// t = A y
inline void output_axis_adjoint(vec (&t)[5], vec y0, vec y1, vec y2, vec y3) {
    const real two = 2, four = 4;
    const vec even = y0 + y2, odd = y1 + y3;
    t[0] = y0;
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = y0 + two * (y1 + two * y2 + four * y3);
    t[4] = y3;
}

// t = A^T m
inline void output_axis(vec (&t)[4], vec m0, vec m1, vec m2, vec m3, vec m4) {
    const real two = 2, four = 4, eight = 8;
    const vec sum = m1 + m2, difference = m1 - m2;
    t[0] = m0 + sum + m3;
    t[1] = difference + two * m3;
    t[2] = sum + four * m3;
    t[3] = difference + eight * m3 + m4;
}

// t = G g
inline void filter_axis(vec (&t)[5], vec g0, vec g1) {
    const real half = 0.5, sixth = real(1) / 6, two = 2;
    t[0] = half * g0;
    t[1] = -half * (g0 + g1);
    t[2] = sixth * (g1 - g0);
    t[3] = sixth * (g0 + two * g1);
    t[4] = g1;
}

// t = G^T m
inline void filter_axis_adjoint(vec (&t)[2], vec m0, vec m1, vec m2, vec m3, vec m4) {
    const real half = 0.5, sixth = real(1) / 6, two = 2;
    t[0] = half * (m0 - m1) + sixth * (m3 - m2);
    t[1] = sixth * (m2 + two * m3) - half * m1 + m4;
}

// ---- both axes, of one vector of channels ----------------------------------------------------------------------------

// store(point, value) for all points of the 5x5 image d(row, column).
template <class Load, class Store>
inline void image_to_points(const Load& d, const Store& put) {
    vec t[5][5];  // [column][point of the rows]
#pragma GCC unroll 5
    for (int j = 0; j < 5; ++j) image_axis(t[j], d(0, j), d(1, j), d(2, j), d(3, j), d(4, j));
#pragma GCC unroll 5
    for (int i = 0; i < 5; ++i) {
        vec v[5];
        image_axis(v, t[0][i], t[1][i], t[2][i], t[3][i], t[4][i]);
#pragma GCC unroll 5
        for (int j = 0; j < 5; ++j) put(5 * i + j, v[j]);
    }
}

// put(row, column, value) of the 5x5 image that the points m(point) make.
template <class Load, class Store>
inline void points_to_image(const Load& m, const Store& put) {
    vec t[5][5];
#pragma GCC unroll 5
    for (int j = 0; j < 5; ++j) image_axis_adjoint(t[j], m(j), m(5 + j), m(10 + j), m(15 + j), m(20 + j));
#pragma GCC unroll 5
    for (int i = 0; i < 5; ++i) {
        vec v[5];
        image_axis_adjoint(v, t[0][i], t[1][i], t[2][i], t[3][i], t[4][i]);
#pragma GCC unroll 5
        for (int j = 0; j < 5; ++j) put(i, j, v[j]);
    }
}

// put(point, value) for all points of the 4x4 gradient dy(row, column).
template <class Load, class Store>
inline void gradient_to_points(const Load& dy, const Store& put) {
    vec t[4][5];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) output_axis_adjoint(t[j], dy(0, j), dy(1, j), dy(2, j), dy(3, j));
#pragma GCC unroll 5
    for (int i = 0; i < 5; ++i) {
        vec v[5];
        output_axis_adjoint(v, t[0][i], t[1][i], t[2][i], t[3][i]);
#pragma GCC unroll 5
        for (int j = 0; j < 5; ++j) put(5 * i + j, v[j]);
    }
}

// put(row, column, value) of the 4x4 outputs that the points m(point) make.
template <class Load, class Store>
inline void points_to_outputs(const Load& m, const Store& put) {
    vec t[5][4];
#pragma GCC unroll 5
    for (int j = 0; j < 5; ++j) output_axis(t[j], m(j), m(5 + j), m(10 + j), m(15 + j), m(20 + j));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        vec v[4];
        output_axis(v, t[0][i], t[1][i], t[2][i], t[3][i], t[4][i]);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) put(i, j, v[j]);
    }
}

// put(point, value) for all points of the 2x2 filter g, row-major.
template <class Store>
inline void filter_to_points(vec g00, vec g01, vec g10, vec g11, const Store& put) {
    vec t[2][5];
    filter_axis(t[0], g00, g10);
    filter_axis(t[1], g01, g11);
#pragma GCC unroll 5
    for (int i = 0; i < 5; ++i) {
        vec v[5];
        filter_axis(v, t[0][i], t[1][i]);
#pragma GCC unroll 5
        for (int j = 0; j < 5; ++j) put(5 * i + j, v[j]);
    }
}

// put(row, column, value) of the 2x2 filter's gradient that the points m(point) make.
template <class Load, class Store>
inline void points_to_filter(const Load& m, const Store& put) {
    vec t[5][2];
#pragma GCC unroll 5
    for (int j = 0; j < 5; ++j) filter_axis_adjoint(t[j], m(j), m(5 + j), m(10 + j), m(15 + j), m(20 + j));
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        vec v[2];
        filter_axis_adjoint(v, t[0][i], t[1][i], t[2][i], t[3][i], t[4][i]);
        put(i, 0, v[0]), put(i, 1, v[1]);
    }
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
