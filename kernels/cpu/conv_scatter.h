// The data gradient of convolutions whose input has few channels (1, 3), and transposed convolutions to such an image: the GEMM
// dy (N P Q, OC) x w (OC, R S C), after which each row of the result is added to its pixels. 2 N P Q OC R S C flops. The GEMM has
// enough columns for the tile; an implicit GEMM over the pixels of dx would have only C columns. Bound by the FMA units and, for
// at most 64 output channels, by the additions of the second step.
//
// Order of the sums, for any N: a chain over OC for each tap, then the taps of a pixel in order of p, r and, in rounds, q.
#pragma once
#include "kernels/cpu/gemm.h"

namespace gannet::kernels::cpu::GANNET_ISA {

// Computes to[i] += from[i] for i < n, `count` times; `to` and `from` advance by their steps. A run is one row of the filter.
template <int64_t fixed>
inline void add_runs_of(real* to, int64_t to_step, const real* from, int64_t from_step, int64_t count, int64_t n) {
    const int64_t length = fixed ? fixed : n;
    for (int64_t k = 0; k < count; ++k, to += to_step, from += from_step)
        for (int64_t i = 0; i < length; ++i) to[i] += from[i];
}
inline void add_runs(real* to, int64_t to_step, const real* from, int64_t from_step, int64_t count, int64_t n) {
    switch (n) {
        case 3: return add_runs_of<3>(to, to_step, from, from_step, count, n);  // 3x3 filters of 1 and 3 channels
        case 9: return add_runs_of<9>(to, to_step, from, from_step, count, n);
        case 4: return add_runs_of<4>(to, to_step, from, from_step, count, n);
        case 12: return add_runs_of<12>(to, to_step, from, from_step, count, n);
        case 5: return add_runs_of<5>(to, to_step, from, from_step, count, n);
        case 15: return add_runs_of<15>(to, to_step, from, from_step, count, n);
        default: return add_runs_of<0>(to, to_step, from, from_step, count, n);
    }
}

// Adds the rows [m0, m0 + rows) of the GEMM, one per output pixel (p, q), to their pixels of one image.
inline void scatter_rows(real* image, const real* product, int64_t m0, int64_t rows, const ConvShape& s) {
    const int64_t taps = s.R * s.S * s.C, run = s.S * s.C;
    const int64_t rounds = ceil_div(s.S, s.stride);  // outputs of the same round have no pixel in common
    for (int64_t p = m0 / s.Q; p * s.Q < m0 + rows; ++p) {
        const int64_t first = std::max(m0, p * s.Q) - p * s.Q, last = std::min(m0 + rows, (p + 1) * s.Q) - p * s.Q;
        const real* const of_row = product + (p * s.Q - m0) * taps;
        for (int64_t r = 0; r < s.R; ++r) {
            const int64_t y = p * s.stride - s.padding + r;
            if (y < 0 || y >= s.H) continue;
            real* const line = image + y * s.W * s.C;
            const auto edge = [&](int64_t q) {  // part of the filter row is outside the image
                const int64_t x = q * s.stride - s.padding, begin = std::max<int64_t>(0, -x), end = std::min(s.S, s.W - x);
                const real* const from = of_row + q * taps + r * run;
                for (int64_t i = begin * s.C; i < end * s.C; ++i) line[x * s.C + i] += from[i];
            };
            const int64_t inside = std::clamp((s.padding + s.stride - 1) / s.stride, first, last);
            const int64_t outside = std::clamp((s.W - s.S + s.padding + s.stride) / s.stride, inside, last);
            for (int64_t q = first; q < inside; ++q) edge(q);
            for (int64_t q = inside; q < std::min(inside + rounds, outside); ++q)
                add_runs(line + (q * s.stride - s.padding) * s.C, rounds * s.stride * s.C, of_row + q * taps + r * run,
                         rounds * taps, ceil_div(outside - q, rounds), run);
            for (int64_t q = outside; q < last; ++q) edge(q);
        }
    }
}

inline void dgrad_scatter(real* dx, const real* dy, const real* w, const real* bias, const ConvShape& s, Activation act,
                          Stream stream) {
    const int64_t taps = s.R * s.S * s.C, pixels = s.P * s.Q, line = s.W * s.C;
    const real* const packed = pack_all(stream, taps, s.OC, [&](real* panel, int64_t n0, int64_t cols, int64_t k, int64_t count) {
        pack_panel(panel, w + k * taps + n0, taps, cols, count);
    });
    real* const biases = bias ? scratch_reals(shared_partial_slot, line) : nullptr;
    for (int64_t i = 0; biases && i < line; ++i) biases[i] = bias[i % s.C];
    parallel_for(stream, s.N, [&](int64_t n) {
        real* const image = dx + n * s.H * line;
        zero_run(image, s.H * line);
        real* const product = scratch_reals(b_slot, block_rows * taps);
        const RowsOfA rows_of_dy{dy + n * pixels * s.OC, s.OC};
        for (int64_t m0 = 0; m0 < pixels; m0 += block_rows) {
            const int64_t rows = std::min<int64_t>(block_rows, pixels - m0);
            real* row[block_rows];
            for (int64_t i = 0; i < rows; ++i) row[i] = product + i * taps;
            multiply_block(row, rows, taps, rows_of_dy, PackedPanels{packed, s.OC}, m0, 0, 0, s.OC);
            scatter_rows(image, product, m0, rows, s);
        }
        for (int64_t y = 0; y < s.H; y += block_rows) {
            real* row[block_rows];
            const int64_t rows = std::min<int64_t>(block_rows, s.H - y);
            for (int64_t i = 0; i < rows; ++i) row[i] = image + (y + i) * line;
            finish_rows(row, rows, line, biases, act);
        }
    });
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
