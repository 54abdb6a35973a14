// One axis of a convolution, split into spans of outputs that use the same taps of the filter.
#pragma once
#include <algorithm>
#include <vector>

#include "kernels/cpu/blocks.h"

namespace gannet::kernels::cpu::GANNET_ISA {

// source = output * stride - padding + tap.
struct Axis {
    int64_t in, out, kernel, stride, padding;
};

// Outputs begin + i * step, i < count. Output i reads the sources source + i * source_step + j, j < taps, with the taps at places
// tap + j of the packed filter.
struct Span {
    int64_t begin, step, count;
    int64_t source, source_step;
    int64_t tap, taps;
};

// Adds an output with the taps of `one` to the last span, or starts a new one.
inline void extend(std::vector<Span>& spans, bool fresh, const Span& one) {
    if (!fresh && spans.back().taps == one.taps && (one.taps == 0 || spans.back().tap == one.tap)) ++spans.back().count;
    else spans.push_back(one);
}

inline std::vector<Span> forward_spans(const Axis& axis) {
    std::vector<Span> spans;
    for (int64_t o = 0; o < axis.out; ++o) {
        const int64_t corner = o * axis.stride - axis.padding;
        const int64_t tap = std::clamp<int64_t>(-corner, 0, axis.kernel);
        const int64_t end = std::clamp<int64_t>(axis.in - corner, tap, axis.kernel);
        extend(spans, o == 0, {o, 1, 1, corner + tap, axis.stride, tap, end - tap});
    }
    return spans;
}

// The adjoint (conv2d_dgrad) writes the inputs of the convolution and reads its outputs. An input uses every stride-th tap; the
// later the output, the earlier the tap. To make the taps of a span contiguous, the packed filter stores them by phase (tap %
// stride), in descending order within a phase.
inline std::vector<int64_t> adjoint_places(int64_t kernel, int64_t stride) {
    std::vector<int64_t> place(static_cast<size_t>(kernel));
    int64_t next = 0;
    for (int64_t phase = 0; phase < std::min(stride, kernel); ++phase)
        for (int64_t tap = (kernel - 1 - phase) / stride * stride + phase; tap >= 0; tap -= stride) place[size_t(tap)] = next++;
    return place;
}

inline std::vector<Span> adjoint_spans(const Axis& axis) {
    const std::vector<int64_t> place = adjoint_places(axis.kernel, axis.stride);
    std::vector<Span> spans;
    for (int64_t phase = 0; phase < axis.stride; ++phase)
        for (int64_t i = phase; i < axis.in; i += axis.stride) {
            const int64_t reach = i + axis.padding;  // tap = reach - stride * source
            const int64_t first = std::max<int64_t>(0, ceil_div(reach - axis.kernel + 1, axis.stride));
            const int64_t last = std::min(axis.out - 1, reach / axis.stride), taps = std::max<int64_t>(0, last - first + 1);
            const int64_t tap = taps > 0 ? place[size_t(reach - first * axis.stride)] : 0;
            extend(spans, i == phase, {i, axis.stride, 1, first, 1, tap, taps});
        }
    return spans;
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
