// The gradient of the filter: dw (OC) x (R,S,C) = dy^T patches, a sum over the pixels of all images. Few filters and many pixels
// give few tiles. Therefore the pixels are split into slices, depending on the shape, whose sums are added in order.
#pragma once
#include <algorithm>

#include "kernels/cpu/gemm.h"

namespace gannet::kernels::cpu::GANNET_ISA {

// The outputs of one axis whose tap t is inside the image: 0 <= q * stride - padding + t < extent, q < outputs.
struct Outputs {
    int64_t begin, end;
};
inline Outputs outputs_of_tap(int64_t t, int64_t extent, int64_t outputs, const ConvShape& s) {
    const int64_t reach = extent - 1 + s.padding - t;
    return {std::max<int64_t>(0, ceil_div(s.padding - t, s.stride)), reach < 0 ? 0 : std::min(outputs, reach / s.stride + 1)};
}

// The patches of x as B (gemm.h): k is the output pixel, the columns are (r, s, c). For one r, the (s, c) of a patch are
// contiguous in x, so a panel is filled by a few copies per pixel, clipped at the image border.
struct PatchColumns {
    const real* x;
    const ConvShape& s;

    struct Piece {
        int64_t r, place, length;  // a part of filter row r: (s, c) in [place, place + length)
    };

    Panel panel(Run* runs, int64_t n0, int64_t cols, int64_t k, int count) const {
        real* const packed = scratch_reals(b_slot, block_k * tile_cols);
        Piece pieces[tile_cols];
        int used = 0;
        for (int64_t j = n0, width = s.S * s.C; j < n0 + cols; j += pieces[used++].length)
            pieces[used] = {j / width, j % width, std::min(n0 + cols - j, width - j % width)};
        int64_t q = k % s.Q, p = k / s.Q % s.P, n = k / s.Q / s.P;
        for (int i = 0; i < count; ++i) {
            real* to = packed + i * tile_cols;
            for (const Piece* piece = pieces; piece != pieces + used; to += piece->length, ++piece) copy(to, *piece, n, p, q);
            if (cols < tile_cols) zero_run(to, tile_cols - cols);
            if (++q < s.Q) continue;
            q = 0;
            if (++p < s.P) continue;
            p = 0, ++n;
        }
        runs[0] = {0, 0, count};
        return {packed, tile_cols, runs, 1};
    }

private:
    void copy(real* to, const Piece& piece, int64_t n, int64_t p, int64_t q) const {
        const int64_t h = p * s.stride - s.padding + piece.r, row_size = s.W * s.C, length = piece.length;
        if (h < 0 || h >= s.H) return zero_run(to, length);
        const int64_t from = (q * s.stride - s.padding) * s.C + piece.place;  // within row h
        const real* row = x + (n * s.H + h) * row_size;
        if (from >= 0 && from + length <= row_size) {
            if (length == tile_cols) return store(to, load(row + from)), store(to + lanes, load(row + from + lanes));
            return copy_run(to, row + from, length);
        }
        const int64_t before = std::clamp<int64_t>(-from, 0, length), end = std::clamp<int64_t>(row_size - from, before, length);
        zero_run(to, before);
        copy_run(to + before, row + from + before, end - before);
        zero_run(to + end, length - end);
    }
};

// The same, read in place, if the channels fill whole panels. A panel then belongs to one tap, the pixels of a row of dy use
// pixels of x at a fixed step, and pixels whose tap is outside the image are skipped.
struct ImageColumns {
    const real* x;
    const ConvShape& s;

    Panel panel(Run* runs, int64_t n0, int64_t, int64_t k, int count) const {
        const int64_t c = n0 % s.C, t = n0 / s.C % s.S, r = n0 / s.C / s.S;
        const auto [begin, end] = outputs_of_tap(t, s.W, s.Q, s);
        int used = 0;
        int64_t row = k / s.Q;  // a row of dy; its pixels are steps first..first+Q of A's block
        for (int64_t first = row * s.Q - k; first < count; first += s.Q, ++row) {
            const int64_t h = row % s.P * s.stride - s.padding + r;
            const int64_t q = std::max(begin, -first), length = std::min(end, count - first) - q;
            if (h < 0 || h >= s.H || length <= 0) continue;
            runs[used++] = {first + q, (((row / s.P) * s.H + h) * s.W + q * s.stride - s.padding + t) * s.C, int(length)};
        }
        return {x + c, s.stride * s.C, runs, used};
    }
};

inline void wgrad_product(real* dw, const real* x, const real* dy, const ConvShape& s, Stream stream) {
    const int64_t M = s.OC, N = s.R * s.S * s.C, K = s.N * s.P * s.Q;
    Cut cut = cut_product(M, N, block_rows, 1);
    cut.cols = 256;
    cut.col_blocks = ceil_div(N, cut.cols);
    cut.slices = std::clamp<int64_t>(K / 512, 1, ceil_div(16, cut.row_blocks * cut.col_blocks));
    if (s.C % tile_cols == 0) multiply(dw, M, N, K, ColumnsOfA{dy, M, K}, ImageColumns{x, s}, cut, nullptr, Activation{}, stream);
    else multiply(dw, M, N, K, ColumnsOfA{dy, M, K}, PatchColumns{x, s}, cut, nullptr, Activation{}, stream);
}

// ---- few output channels ---------------------------------------------------------------------------------------------

// dw[o * filter + 0..vecs*lanes) += sum_q dy[q * OC + o] x[q * x_step + ...], o < OC.
template <int OC, int vecs>
void add_row_products(real* dw, int64_t filter, const real* x, int64_t x_step, const real* dy, int64_t count) {
    vec acc[OC][vecs];
    for (int o = 0; o < OC; ++o)
        for (int j = 0; j < vecs; ++j) acc[o][j] = load(dw + o * filter + j * lanes);
    for (int64_t q = 0; q < count; ++q, x += x_step, dy += OC)
#pragma GCC unroll 4
        for (int j = 0; j < vecs; ++j) {
            const vec of_x = load(x + j * lanes);
#pragma GCC unroll 4
            for (int o = 0; o < OC; ++o) acc[o][j] += dy[o] * of_x;
        }
    for (int o = 0; o < OC; ++o)
        for (int j = 0; j < vecs; ++j) store(dw + o * filter + j * lanes, acc[o][j]);
}

// Adds one tap of one row of dy, for all channels c < C.
template <int OC>
void add_tap(real* dw, int64_t filter, int64_t C, const real* x, int64_t x_step, const real* dy, int64_t count) {
    constexpr int wide = vector_bytes == 64 ? 4 : 2;
    int64_t c = 0;
    for (; c + wide * lanes <= C; c += wide * lanes) add_row_products<OC, wide>(dw + c, filter, x + c, x_step, dy, count);
    for (; c + lanes <= C; c += lanes) add_row_products<OC, 1>(dw + c, filter, x + c, x_step, dy, count);
    for (; c < C; ++c)
        for (int o = 0; o < OC; ++o) {
            real sum = dw[o * filter + c];
            for (int64_t q = 0; q < count; ++q) sum += dy[q * OC + o] * x[q * x_step + c];
            dw[o * filter + c] = sum;
        }
}

// For OC <= 4, packing the patches would take longer than the GEMM. Instead, a row of x is read in place once per tap while it is
// in L1, and taps outside the image are skipped.
inline void wgrad_few_channels(real* dw, const real* x, const real* dy, const ConvShape& s, Stream stream) {
    const int64_t filter = s.R * s.S * s.C, size = s.filter_size();
    const int64_t slices = std::clamp<int64_t>(ceil_div(16, s.R), 1, std::max<int64_t>(1, s.N));
    real* const partial = slices > 1 ? scratch_reals(shared_partial_slot, slices * size) : dw;
    const auto add = s.OC == 1 ? add_tap<1> : s.OC == 2 ? add_tap<2> : s.OC == 3 ? add_tap<3> : add_tap<4>;
    parallel_for(stream, slices * s.R, [&](int64_t task) {
        const int64_t r = task % s.R, slice = task / s.R;
        real* const to = partial + slice * size + r * s.S * s.C;
        for (int64_t o = 0; o < s.OC; ++o) zero_run(to + o * filter, s.S * s.C);
        for (int64_t n = s.N * slice / slices; n < s.N * (slice + 1) / slices; ++n)
            for (int64_t p = 0; p < s.P; ++p) {
                const int64_t h = p * s.stride - s.padding + r;
                if (h < 0 || h >= s.H) continue;
                const real *x_row = x + (n * s.H + h) * s.W * s.C, *dy_row = dy + (n * s.P + p) * s.Q * s.OC;
                for (int64_t t = 0; t < s.S; ++t) {
                    const auto [begin, end] = outputs_of_tap(t, s.W, s.Q, s);
                    if (begin >= end) continue;
                    const real* from = x_row + (begin * s.stride - s.padding + t) * s.C;
                    add(to + t * s.C, filter, s.C, from, s.stride * s.C, dy_row + begin * s.OC, end - begin);
                }
            }
    });
    if (slices > 1) add_slices(dw, s.OC, filter, partial, slices, nullptr, Activation{}, stream);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
