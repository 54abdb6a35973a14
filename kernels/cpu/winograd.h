// Winograd convolution (minimal filtering; Lavin and Gray, arXiv 1509.09308) with 4x4 filters and stride 2.
//
// Space to depth converts the padded image to half its size and four times its channels, (row parity, column parity, channel),
// and the filter to a 2x2 filter of stride 1 (the decomposition of DWM, arXiv 2002.00552). F(4x4,2x2) computes 4x4 outputs from
// 5x5 inputs with 25 multiplications instead of 64, at the points 0, 1, -1, 2 and infinity of each axis. F(7x7,2x2) computes the
// 7x7 outputs of a 14x14 image as one tile with 64 multiplications; four tiles of 4x4 would need 100. Its points are 0, 1, -1, 2,
// -2, 1/2, -1/2 and infinity. All passes use the same matrices:
//
//   conv2d        y  = A^T [U . (B^T x B)] A               sum over 4 C at each point, U = G w G^T
//   conv2d_dgrad  dx = B [U . (A dy A^T)] B^T              sum over OC; neighbouring tiles overlap by one row or column
//   conv2d_wgrad  dw = G^T [sum over tiles (A dy A^T) (x) (B^T x B)] G
//
// Bound by the FMA units. The transforms of F(4x4,2x2) move 4 (25 + 16) bytes per tile and channel on each side, in cache, and
// take about a fifth of the time at 64 channels. Errors are about two bits larger than those of the direct form, four bits with
// F(7x7,2x2) (a test prints a table).
//
// Order of the sums: the sum at a point is one chain over k, and the transforms use the same instructions for every tile, so a
// range of a batch has the same bits alone.
#pragma once
#include <limits>

#include "kernels/cpu/gemm.h"
#include "kernels/execution.h"

namespace gannet::kernels::cpu::GANNET_ISA {

// ---- the forms: each matrix along one axis ---------------------------------------------------------------------------

struct F4 {
    static constexpr int outputs = 4, inputs = 5, points = 25;

    // t = B^T d
    static void image_axis(vec (&t)[5], const vec (&d)[5]) {
        const real two = 2;
        const vec e = d[3] - d[1], f = d[3] - d[2];
        t[0] = two * (d[0] - d[2]) + e;
        t[1] = f - two * d[1];
        t[2] = f + two * (d[1] - d[2]);
        t[3] = e;
        t[4] = (d[4] - d[2]) - two * e;
    }
    // t = B m
    static void image_axis_adjoint(vec (&t)[5], const vec (&m)[5]) {
        const real two = 2, three = 3;
        const vec e = m[0] + m[3];
        t[0] = two * m[0];
        t[1] = two * (m[2] - m[1] + m[4]) - e;
        t[2] = -(two * m[0] + m[1] + three * m[2] + m[4]);
        t[3] = e + m[1] + m[2] - two * m[4];
        t[4] = m[4];
    }
    // t = A y
    static void output_axis_adjoint(vec (&t)[5], const vec (&y)[4]) {
        const real two = 2, four = 4;
        const vec even = y[0] + y[2], odd = y[1] + y[3];
        t[0] = y[0];
        t[1] = even + odd;
        t[2] = even - odd;
        t[3] = y[0] + two * (y[1] + two * y[2] + four * y[3]);
        t[4] = y[3];
    }
    // t = A^T m
    static void output_axis(vec (&t)[4], const vec (&m)[5]) {
        const real two = 2, four = 4, eight = 8;
        const vec sum = m[1] + m[2], difference = m[1] - m[2];
        t[0] = m[0] + sum + m[3];
        t[1] = difference + two * m[3];
        t[2] = sum + four * m[3];
        t[3] = difference + eight * m[3] + m[4];
    }
    // t = G g
    static void filter_axis(vec (&t)[5], const vec (&g)[2]) {
        const real half = 0.5, sixth = real(1) / 6, two = 2;
        t[0] = half * g[0];
        t[1] = -half * (g[0] + g[1]);
        t[2] = sixth * (g[1] - g[0]);
        t[3] = sixth * (g[0] + two * g[1]);
        t[4] = g[1];
    }
    // t = G^T m
    static void filter_axis_adjoint(vec (&t)[2], const vec (&m)[5]) {
        const real half = 0.5, sixth = real(1) / 6, two = 2;
        t[0] = half * (m[0] - m[1]) + sixth * (m[3] - m[2]);
        t[1] = sixth * (m[2] + two * m[3]) - half * m[1] + m[4];
    }
};

// The points and B are those of F(6x6,3x3). A point and its negative share their even and odd parts.
struct F7 {
    static constexpr int outputs = 7, inputs = 8, points = 64;

    static void image_axis(vec (&t)[8], const vec (&d)[8]) {
        t[0] = d[0] - d[6] + real(5.25) * (d[4] - d[2]);
        t[7] = d[7] - d[1] + real(5.25) * (d[3] - d[5]);
        const vec even1 = d[2] + d[6] - real(4.25) * d[4], odd1 = d[1] + d[5] - real(4.25) * d[3];
        t[1] = even1 + odd1, t[2] = even1 - odd1;
        const vec even2 = d[6] + real(0.25) * d[2] - real(1.25) * d[4],
                  odd2 = real(0.5) * d[1] - real(2.5) * d[3] + real(2) * d[5];
        t[3] = even2 + odd2, t[4] = even2 - odd2;
        const vec even3 = d[6] + real(4) * d[2] - real(5) * d[4], odd3 = real(2) * d[1] - real(2.5) * d[3] + real(0.5) * d[5];
        t[5] = even3 + odd3, t[6] = even3 - odd3;
    }
    static void image_axis_adjoint(vec (&t)[8], const vec (&m)[8]) {
        const Parts p(m);
        t[0] = m[0];
        t[1] = p.odd1 + real(0.5) * p.odd2 + real(2) * p.odd3 - m[7];
        t[2] = p.even1 + real(0.25) * p.even2 + real(4) * p.even3 - real(5.25) * m[0];
        t[3] = real(5.25) * m[7] - real(4.25) * p.odd1 - real(2.5) * (p.odd2 + p.odd3);
        t[4] = real(5.25) * m[0] - real(4.25) * p.even1 - real(1.25) * p.even2 - real(5) * p.even3;
        t[5] = p.odd1 + real(2) * p.odd2 + real(0.5) * p.odd3 - real(5.25) * m[7];
        t[6] = p.even1 + p.even2 + p.even3 - m[0];
        t[7] = m[7];
    }
    static void output_axis_adjoint(vec (&t)[8], const vec (&y)[7]) {
        t[0] = y[0], t[7] = y[6];
        const vec even1 = (y[0] + y[2]) + (y[4] + y[6]), odd1 = y[1] + y[3] + y[5];
        t[1] = even1 + odd1, t[2] = even1 - odd1;
        const vec even2 = y[0] + real(4) * (y[2] + real(4) * (y[4] + real(4) * y[6]));
        const vec odd2 = real(2) * (y[1] + real(4) * (y[3] + real(4) * y[5]));
        t[3] = even2 + odd2, t[4] = even2 - odd2;
        const vec even3 = y[0] + real(0.25) * (y[2] + real(0.25) * (y[4] + real(0.25) * y[6]));
        const vec odd3 = real(0.5) * (y[1] + real(0.25) * (y[3] + real(0.25) * y[5]));
        t[5] = even3 + odd3, t[6] = even3 - odd3;
    }
    static void output_axis(vec (&t)[7], const vec (&m)[8]) {
        const Parts p(m);
        t[0] = m[0] + p.even1 + p.even2 + p.even3;
        t[1] = p.odd1 + real(2) * p.odd2 + real(0.5) * p.odd3;
        t[2] = p.even1 + real(4) * p.even2 + real(0.25) * p.even3;
        t[3] = p.odd1 + real(8) * p.odd2 + real(0.125) * p.odd3;
        t[4] = p.even1 + real(16) * p.even2 + real(1) / 16 * p.even3;
        t[5] = p.odd1 + real(32) * p.odd2 + real(1) / 32 * p.odd3;
        t[6] = p.even1 + real(64) * p.even2 + real(1) / 64 * p.even3 + m[7];
    }
    static void filter_axis(vec (&t)[8], const vec (&g)[2]) {
        t[0] = g[0], t[7] = g[1];
        t[1] = real(-2) / 9 * (g[0] + g[1]), t[2] = real(-2) / 9 * (g[0] - g[1]);
        t[3] = real(1) / 90 * (g[0] + real(2) * g[1]), t[4] = real(1) / 90 * (g[0] - real(2) * g[1]);
        t[5] = real(16) / 45 * (real(2) * g[0] + g[1]), t[6] = real(16) / 45 * (real(2) * g[0] - g[1]);
    }
    static void filter_axis_adjoint(vec (&t)[2], const vec (&m)[8]) {
        const Parts p(m);
        t[0] = m[0] - real(2) / 9 * p.even1 + real(1) / 90 * p.even2 + real(32) / 45 * p.even3;
        t[1] = m[7] - real(2) / 9 * p.odd1 + real(1) / 45 * p.odd2 + real(16) / 45 * p.odd3;
    }

private:
    struct Parts {  // of the points +-1, +-2, +-1/2
        vec even1, odd1, even2, odd2, even3, odd3;
        explicit Parts(const vec (&m)[8])
            : even1(m[1] + m[2]),
              odd1(m[1] - m[2]),
              even2(m[3] + m[4]),
              odd2(m[3] - m[4]),
              even3(m[5] + m[6]),
              odd3(m[5] - m[6]) {}
    };
};

// ---- the form for a shape --------------------------------------------------------------------------------------------

// The tiles of the outputs P x Q; the last ones may extend beyond the border.
struct TileGrid {
    int64_t rows, cols;
    int64_t size() const { return rows * cols; }
};
template <class F>
TileGrid tile_grid(const ConvShape& s) {
    return {ceil_div(s.P, F::outputs), ceil_div(s.Q, F::outputs)};
}

inline constexpr int channel_multiple = 16;
inline constexpr int64_t most_tiles = 256;  // maximum of an image; one task processes all tiles of an image

// The number of (output, tap) pairs of an axis inside the image: the multiplications of the direct form.
inline int64_t taps_inside(int64_t extent, int64_t count, int64_t padding) {
    int64_t taps = 0;
    for (int64_t o = 0; o < count; ++o)
        for (int64_t i = 2 * o - padding; i < 2 * o - padding + 4; ++i) taps += i >= 0 && i < extent;
    return taps;
}

// Multiply-adds of one image, or infinity if its tiles cannot be used. transform_cost, per point and channel of a tile, is chosen
// such that 20x20x64 images use F4, which is faster for them, and 12x12x128 images do not.
template <class F>
double filtering_cost(const ConvShape& s) {
    constexpr double transform_cost = 24, never = std::numeric_limits<double>::infinity();
    const TileGrid grid = tile_grid<F>(s);
    if (grid.size() > most_tiles) return never;
    // if no tile covers the last pixels
    if ((s.H - 1 + s.padding) / 2 > F::outputs * grid.rows || (s.W - 1 + s.padding) / 2 > F::outputs * grid.cols) return never;
    const double channels = double(s.C) * double(s.OC), sides = double(4 * s.C + s.OC);
    return F::points * double(grid.size()) * (4 * channels + transform_cost * sides);
}

enum class Filtering { none, four, seven };

// The form to use. N is ignored, because a range of a batch must have the same bits as in the batch. So for a few small images
// with many channels, the transform of the filter may take longer than Winograd saves. F7 has larger errors and transformed
// filters of 16 times the size. It is used only if it saves a quarter and if the transformed filter does not exceed the caches by
// much (32 MB).
inline Filtering minimal_filtering(const ConvShape& s, Stream stream) {
    if (stream->numerics.exact_convolutions || s.R != 4 || s.S != 4 || s.stride != 2 || s.C % channel_multiple ||
        s.OC % channel_multiple)
        return Filtering::none;
    if (s.C < 32 || s.OC < 32 || s.P < 1 || s.Q < 1) return Filtering::none;
    const double direct =
        double(taps_inside(s.H, s.P, s.padding) * taps_inside(s.W, s.Q, s.padding)) * double(s.C) * double(s.OC);
    const double four = filtering_cost<F4>(s), seven = s.C * s.OC <= 32768 ? filtering_cost<F7>(s) : direct;
    if (seven < 0.75 * std::min(four, direct)) return Filtering::seven;
    return four < direct ? Filtering::four : Filtering::none;
}

// Calls body(F4{}) or body(F7{}), whichever is faster. Returns false if neither is faster than the direct form.
template <class Body>
bool with_filtering(const ConvShape& s, Stream stream, const Body& body) {
    const Filtering form = minimal_filtering(s, stream);
    if (form == Filtering::four) body(F4{});
    else if (form == Filtering::seven) body(F7{});
    return form != Filtering::none;
}

// ---- both axes, of one vector of channels ----------------------------------------------------------------------------

// Applies `axis` to both axes of an in x in matrix, columns first, and calls put(row, column, value) for the out x out result.
template <int in, int out, class Load, class Put>
inline void both_axes(void (*axis)(vec (&)[out], const vec (&)[in]), const Load& load, const Put& put) {
    vec t[in][out];  // [column][row of the result]
#pragma GCC unroll 8
    for (int j = 0; j < in; ++j) {
        vec column[in];
#pragma GCC unroll 8
        for (int i = 0; i < in; ++i) column[i] = load(i, j);
        axis(t[j], column);
    }
#pragma GCC unroll 8
    for (int i = 0; i < out; ++i) {
        vec row[in], v[out];
#pragma GCC unroll 8
        for (int j = 0; j < in; ++j) row[j] = t[j][i];
        axis(v, row);
#pragma GCC unroll 8
        for (int j = 0; j < out; ++j) put(i, j, v[j]);
    }
}

// A tile's points are n x n, row-major: point i n + j.

// Calls put(point, value) for all points of load(row, column): an image (F::image_axis), the output gradient
// (F::output_axis_adjoint), or a 2x2 filter (F::filter_axis).
template <class F, int in, class Load, class Put>
inline void to_points(void (*axis)(vec (&)[F::inputs], const vec (&)[in]), const Load& load, const Put& put) {
    both_axes(axis, load, [&](int i, int j, vec v) { put(F::inputs * i + j, v); });
}

// Calls put(row, column, value) for what has the points m(point): an image (F::image_axis_adjoint), the outputs
// (F::output_axis), or the gradient of a 2x2 filter (F::filter_axis_adjoint).
template <class F, int out, class Load, class Put>
inline void from_points(void (*axis)(vec (&)[out], const vec (&)[F::inputs]), const Load& m, const Put& put) {
    both_axes(
        axis, [&](int i, int j) { return m(F::inputs * i + j); }, put);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
