// Convolutions with at most four output channels (conv2d to an image, conv2d_dgrad from features to an image), computed as dot
// products, because most columns of a GEMM tile would be empty.
//
// Eight threads share eight neighbouring pixels of a row (in conv2d_dgrad, of one phase): each sums a few channels of all eight,
// with the filter in shared memory. At the end they exchange their sums, and each finishes one pixel.
#pragma once
#include "kernels/cuda/block.h"
#include "kernels/cuda/conv_operands.h"
#include "kernels/cuda/variants.h"

namespace gannet::kernels::cuda {

inline constexpr int few_outputs = 4, few_threads = 256;
inline constexpr int strip = 8;                           // pixels of a strip, and threads that share them
inline constexpr int strips = few_threads / strip;        // strips of a block
inline constexpr int most_filter_values = 40 * 1024 / 8;  // maximum of a block: fits static shared memory, also as double

// The filter values of one pass over the taps: taps x outputs x channels. Each kernel has its own type.
template <class T, int outputs, int channels, bool adjoint>
struct FewOutputsFilter {
    static constexpr int most_taps = most_filter_values / (outputs * channels);
    alignas(16) T values[most_taps][outputs][channels];
};

template <class T>
struct FewOutputs {
    T* out;
    const T* bias;
    Activation act;
};

// The source of a strip: `taps_h` x `taps_w` taps with the step `direction`, pixels with the step `pixel_step`. Filter tap (t, u)
// has the index first + t * row_step + u * col_step in w.
struct StripSource {
    int height, width, channels, taps_h, taps_w, direction, pixel_step;
    int first, row_step, col_step;
};

// Element (output, tap, channel) of w, which is (OC, R, S, C).
template <bool adjoint>
__device__ __forceinline__ int64_t filter_place(const ConvExtents& e, int output, int tap, int channel) {
    const int o = adjoint ? channel : output, c = adjoint ? output : channel;
    return (int64_t(o) * e.R * e.S + tap) * e.C + c;
}

// Sums values[j] over eight threads, for each j. Thread j gets the sum for j in values[0].
template <int half = strip / 2, class T, int outputs>
__device__ __forceinline__ void exchange_sums(T (&values)[strip][outputs]) {
    const bool upper = threadIdx.x & half;
#pragma unroll
    for (int j = 0; j < half; ++j)
#pragma unroll
        for (int o = 0; o < outputs; ++o) {
            const T given = upper ? values[j][o] : values[j + half][o], kept = upper ? values[j + half][o] : values[j][o];
            values[j][o] = kept + __shfl_xor_sync(all_lanes, given, half);
        }
    if constexpr (half > 1) exchange_sums<half / 2>(values);
}

template <class T, int outputs, int vector, bool adjoint>
__global__ void __launch_bounds__(few_threads, min_blocks(few_threads, 128))
    conv2d_few_outputs_kernel(FewOutputs<T> to, ConvArguments<T> of, AxisPhases row_phases, AxisPhases col_phases) {
    constexpr int pass = strip * vector;  // channels
    auto& filter = shared<FewOutputsFilter<T, outputs, pass, adjoint>>();
    const ConvExtents& e = of.extents;
    const ConvPhase phase{{row_phases, int(blockIdx.y)}, {col_phases, int(blockIdx.z)}};
    const int rows = adjoint ? phase.h.pixels : e.P, cols = adjoint ? phase.w.pixels : e.Q;
    const StripSource s =
        adjoint
            ? StripSource{e.P,     e.Q, e.OC, phase.h.taps, phase.w.taps, -1, 1, phase.h.tap * e.S + phase.w.tap, e.stride * e.S,
                          e.stride}
            : StripSource{e.H, e.W, e.C, e.R, e.S, 1, e.stride, 0, e.S, 1};
    // the strip: pixels (n, i, j) to (n, i, j + 7)
    const unsigned strips_of_row = unsigned(cols + strip - 1) / strip, number = blockIdx.x * strips + threadIdx.x / strip;
    const unsigned row = number / strips_of_row, i = row % unsigned(rows), n = row / unsigned(rows);
    const int j = int(number % strips_of_row) * strip, lane = int(threadIdx.x) % strip;
    const bool active = n < e.N;
    const int corner_row = adjoint ? phase.h.source + int(i) : int(i) * e.stride - e.padding;
    const int corner_col = adjoint ? phase.w.source + j : j * e.stride - e.padding;

    T sums[strip][outputs] = {};
    for (int first = 0; first < s.channels; first += pass) {
        __syncthreads();
        const int taps = s.taps_h * s.taps_w;
        for (int f = threadIdx.x; f < taps * outputs * pass; f += few_threads) {
            const int channel = first + f % pass, output = f / pass % outputs, tap = f / pass / outputs;
            const int number_of_tap = s.first + tap / s.taps_w * s.row_step + tap % s.taps_w * s.col_step;
            filter.values[tap][output][f % pass] =
                channel < s.channels ? of.b[filter_place<adjoint>(e, output, number_of_tap, channel)] : T(0);
        }
        __syncthreads();
        const int channel = first + lane * vector;
        if (!active || channel >= s.channels) continue;
        for (int t = 0; t < s.taps_h; ++t) {
            const int from_row = corner_row + s.direction * t;
            if (unsigned(from_row) >= unsigned(s.height)) continue;
            // offsets fit in 32 bits; the launcher has checked this
            int col = corner_col, place = ((int(n) * s.height + from_row) * s.width + col) * s.channels + channel;
            for (int u = 0; u < s.taps_w; ++u, col += s.direction, place += s.direction * s.channels) {
                Pack<T, vector> weights[outputs], values[strip] = {};
#pragma unroll
                for (int o = 0; o < outputs; ++o)
                    weights[o] = load_pack<vector>(&filter.values[t * s.taps_w + u][o][lane * vector]);
#pragma unroll
                for (int l = 0; l < strip; ++l)
                    if (unsigned(col + l * s.pixel_step) < unsigned(s.width))
                        values[l] = load_pack<vector>(of.a + (place + l * s.pixel_step * s.channels));
#pragma unroll
                for (int l = 0; l < strip; ++l)
#pragma unroll
                    for (int o = 0; o < outputs; ++o)
#pragma unroll
                        for (int v = 0; v < vector; ++v) sums[l][o] += values[l][v] * weights[o][v];
            }
        }
    }
    exchange_sums(sums);
    if (!active || j + lane >= cols) return;
    const int64_t pixel =
        adjoint ? (int64_t(n) * e.H + phase.h.phase + int(i) * e.stride) * e.W + phase.w.phase + (j + lane) * e.stride
                : (int64_t(n) * e.P + i) * e.Q + j + lane;
#pragma unroll
    for (int o = 0; o < outputs; ++o) to.out[pixel * outputs + o] = activate(sums[0][o] + (to.bias ? to.bias[o] : T(0)), to.act);
}

// ---- launchers -------------------------------------------------------------------------------------------------------

// Whether the filter's taps fit the kernel's shared memory.
template <class T>
bool fits_few_outputs(int64_t outputs, int64_t taps) {
    return outputs <= few_outputs && taps * outputs * strip * widest<T> <= most_filter_values;
}

template <class T, bool adjoint>
void launch_few_outputs(const FewOutputs<T>& to, const ConvArguments<T>& of, const AxisPhases& rows, const AxisPhases& cols,
                        bool vector, Stream stream) {
    const ConvExtents& e = of.extents;
    const int64_t height = adjoint ? rows.pixels : e.P, width = adjoint ? cols.pixels : e.Q;
    const int64_t blocks = divide_up(e.N * height * divide_up(width, strip), strips);
    const Grid grid{adjoint ? dim3(unsigned(blocks), unsigned(rows.count()), unsigned(cols.count())) : dim3(unsigned(blocks)),
                    dim3(few_threads)};
    const auto with_outputs = [&](auto outputs) {
        with_width<T>(vector, [&](auto width_of_load) {
            launch(adjoint ? "conv2d_dgrad" : "conv2d", conv2d_few_outputs_kernel<T, outputs(), width_of_load(), adjoint>, grid,
                   stream, to, of, rows, cols);
        });
    };
    switch (adjoint ? e.C : e.OC) {
        case 1: return with_outputs(std::integral_constant<int, 1>());
        case 2: return with_outputs(std::integral_constant<int, 2>());
        case 3: return with_outputs(std::integral_constant<int, 3>());
        default: return with_outputs(std::integral_constant<int, 4>());
    }
}

}  // namespace gannet::kernels::cuda
