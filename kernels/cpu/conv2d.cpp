// Convolutions as implicit GEMM (gemm.h), NHWC. 2 N P Q OC R S C flops; x, w and y are accessed once each. Bound by the FMA units
// for a few dozen channels or more; with few input channels (images), bound by gathering and by writing the output.
//
// conv2d and conv2d_dgrad are one algorithm. The rows of the GEMM are output pixels, its columns output channels, its k the
// (filter tap, input channel) pairs. Output coordinates are grouped into spans that use the same taps of the filter: the phases
// of a stride and the rows and columns near a border are then separate matrix products over the taps that exist. Zeros of padding
// and dilation are never multiplied. A 1x1 image that becomes RxR pixels needs one tap per pixel.
//
// The data gradient to few channels is a GEMM followed by a scatter: conv_scatter.h. 4x4 filters of stride 2 with enough channels
// use Winograd, with a third to a half of the multiplications: winograd.h.
//
// The sum of a pixel is one chain over its taps and channels for any N, so a range of a batch has the same bits alone.
#include "kernels/cpu/isa.h"

#include <vector>

#include "kernels/cpu/conv2d_wgrad.h"
#include "kernels/cpu/conv_scatter.h"
#include "kernels/cpu/conv_spans.h"
#include "kernels/cpu/dots.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/winograd_conv.h"
#include "kernels/cpu/winograd_wgrad.h"

namespace gannet::kernels::cpu::GANNET_ISA {
namespace {

// ---- conv2d and conv2d_dgrad -----------------------------------------------------------------------------------------

// Extents of the input image, the output image and the filter, for both directions. The packed filter is (out_channels) x (taps,
// in_channels) with the taps in the order of Span.
struct Direction {
    const real* in;
    real* out;
    int64_t N, in_rows, in_cols, in_channels, out_rows, out_cols, out_channels;
    int64_t R, S;
    std::vector<Span> spans_h, spans_w;

    int64_t filter_depth() const { return R * S * in_channels; }
};

// The output pixels of one pair of spans as rows, (n, i, j) row-major. k is (source row, source column, channel), where (source
// column, channel) is contiguous both in the image and in the filter.
struct Patches {
    using Layout = RowLayout;
    const Direction& d;
    const Span &h, &w;

    int64_t run() const { return w.taps * d.in_channels; }
    int64_t depth() const { return h.taps * run(); }
    int64_t row_pitch() const { return d.in_cols * d.in_channels; }
    int64_t filter_place(int64_t row) const { return ((h.tap + row) * d.S + w.tap) * d.in_channels; }

    // Calls f(m, first source, output) for pixels m0 + m.
    template <class F>
    void for_pixels(int64_t m0, int64_t count, const F& f) const {
        int64_t j = m0 % w.count, i = m0 / w.count % h.count, n = m0 / w.count / h.count;
        for (int64_t m = 0; m < count; ++m) {
            const int64_t y = h.source + i * h.source_step, x = w.source + j * w.source_step;
            const int64_t to_y = h.begin + i * h.step, to_x = w.begin + j * w.step;
            f(m, ((n * d.in_rows + y) * d.in_cols + x) * d.in_channels,
              ((n * d.out_rows + to_y) * d.out_cols + to_x) * d.out_channels);
            if (++j < w.count) continue;
            j = 0;
            if (++i < h.count) continue;
            i = 0, ++n;
        }
    }

    void pack(real* block, int64_t m0, const RowPanels& panels, int64_t k, int count) const {
        const int64_t run_length = run(), first_row = k / run_length, first_offset = k % run_length, pitch = row_pitch();
        for_pixels(m0, panels.rows, [&](int64_t m, int64_t source, int64_t) {
            const real* from = d.in + source + first_row * pitch;
            real* to = block + m * RowLayout::pitch;
            int64_t offset = first_offset;
            for (int64_t left = count; left > 0; from += pitch, offset = 0) {
                const int64_t length = std::min(left, run_length - offset);
                copy_run(to, from + offset, length);
                to += length, left -= length;
            }
        });
    }
};

// The filter in panels [panel][taps, in_channels][tile_cols].
struct FilterPanels {
    const Patches& patches;
    const real* packed;

    Panel panel(Run* runs, int64_t n, int64_t, int64_t k, int count) const {
        int used = 0, done = 0;
        for (int64_t row = k / patches.run(), offset = k % patches.run(); done < count; ++row, offset = 0) {
            const int length = int(std::min<int64_t>(count - done, patches.run() - offset));
            runs[used++] = {done, (patches.filter_place(row) + offset) * tile_cols, length};
            done += length;
        }
        return {packed + n * patches.d.filter_depth(), tile_cols, runs, used};
    }
};

struct PatchTask {
    const Span *h, *w;
    int64_t m0, rows, n0, cols;
};

std::vector<PatchTask> cut_patches(const Direction& d, int64_t max_rows, int64_t max_cols) {
    std::vector<PatchTask> tasks;
    for (const Span& h : d.spans_h)
        for (const Span& w : d.spans_w) {
            const int64_t M = d.N * h.count * w.count, rows = ceil_div(M, ceil_div(M, max_rows));
            for (int64_t n0 = 0; n0 < d.out_channels; n0 += max_cols)
                for (int64_t m0 = 0; m0 < M; m0 += rows)
                    tasks.push_back({&h, &w, m0, std::min(rows, M - m0), n0, std::min(max_cols, d.out_channels - n0)});
        }
    return tasks;
}

// out = act(the sum of the matrix products of all spans + bias). pack(panel, n0, cols, k0, count) packs the filter.
template <class Pack>
void convolve(const Direction& d, const Pack& pack, const real* bias, Activation act, Stream stream) {
    const real* packed = pack_all(stream, d.out_channels, d.filter_depth(), pack);
    const std::vector<PatchTask> tasks = cut_patches(d, 8 * tile_rows, 256);
    parallel_for(stream, int64_t(tasks.size()), [&](int64_t i) {
        const PatchTask& task = tasks[size_t(i)];
        const Patches patches{d, *task.h, *task.w};
        real* row[block_rows];
        patches.for_pixels(task.m0, task.rows, [&](int64_t m, int64_t, int64_t output) { row[m] = d.out + output + task.n0; });
        multiply_block(row, task.rows, task.cols, patches, FilterPanels{patches, packed}, task.m0, task.n0, 0, patches.depth());
        finish_rows(row, task.rows, task.cols, bias ? bias + task.n0 : nullptr, act);
    });
}

// The same for few output channels: dot products of pixels with rows of the filter, packed (out_channels) x (taps, in_channels).
void convolve_few_channels(const Direction& d, const real* filter, const real* bias, Activation act, Stream stream) {
    const std::vector<PatchTask> tasks = cut_patches(d, block_rows, few_cols);
    parallel_for(stream, int64_t(tasks.size()), [&](int64_t i) {
        const PatchTask& task = tasks[size_t(i)];
        const Patches patches{d, *task.h, *task.w};
        real* row[block_rows];
        const real* source[block_rows];
        patches.for_pixels(task.m0, task.rows,
                           [&](int64_t m, int64_t from, int64_t output) { row[m] = d.out + output, source[m] = d.in + from; });
        DotRun* const runs = static_cast<DotRun*>(scratch(a_slot, task.h->taps * int64_t(sizeof(DotRun))));
        for (int64_t r = 0; r < task.h->taps; ++r) runs[r] = {r * patches.row_pitch(), patches.filter_place(r), patches.run()};
        multiply_few_columns(row, task.rows, int(task.cols), source, filter, d.filter_depth(), runs, int(task.h->taps));
        finish_rows(row, task.rows, task.cols, bias, act);
    });
}

// The tap (r, s) at each place of the packed filter of conv2d_dgrad.
std::vector<int64_t> adjoint_taps(const ConvShape& s) {
    const std::vector<int64_t> row = adjoint_places(s.R, s.stride), col = adjoint_places(s.S, s.stride);
    std::vector<int64_t> taps(row.size() * col.size());
    for (size_t i = 0; i < row.size(); ++i)
        for (size_t j = 0; j < col.size(); ++j) taps[size_t(row[i] * s.S + col[j])] = int64_t(i) * s.S + int64_t(j);
    return taps;
}

void direct_conv2d(real* y, const real* x, const real* w, const real* bias, const ConvShape& s, Activation act, Stream stream) {
    const auto spans_h = forward_spans({s.H, s.P, s.R, s.stride, s.padding});
    const auto spans_w = forward_spans({s.W, s.Q, s.S, s.stride, s.padding});
    const Direction d{x, y, s.N, s.H, s.W, s.C, s.P, s.Q, s.OC, s.R, s.S, spans_h, spans_w};
    const int64_t depth = d.filter_depth();
    if (s.OC <= few_cols) {
        convolve_few_channels(d, w, bias, act, stream);
    } else {
        const auto pack = [&](real* panel, int64_t n0, int64_t cols, int64_t k, int64_t count) {
            pack_panel_transposed(panel, w + n0 * depth + k, depth, cols, count);
        };
        convolve(d, pack, bias, act, stream);
    }
}

void direct_conv2d_dgrad(real* dx, const real* dy, const real* w, const real* bias, const ConvShape& s, Activation act,
                         Stream stream) {
    const auto spans_h = adjoint_spans({s.H, s.P, s.R, s.stride, s.padding});
    const auto spans_w = adjoint_spans({s.W, s.Q, s.S, s.stride, s.padding});
    const Direction d{dy, dx, s.N, s.P, s.Q, s.OC, s.H, s.W, s.C, s.R, s.S, spans_h, spans_w};
    const std::vector<int64_t> tap = adjoint_taps(s);  // at each place of the packed filter
    // k = (place, output channel): for one place, the distance between rows of the panel is the size of a filter
    const auto pack = [&](real* panel, int64_t n0, int64_t cols, int64_t k, int64_t count) {
        while (count > 0) {
            const int64_t o = k % s.OC, length = std::min(count, s.OC - o);
            pack_panel(panel, w + (o * s.R * s.S + tap[size_t(k / s.OC)]) * s.C + n0, s.R * s.S * s.C, cols, length);
            panel += length * tile_cols, k += length, count -= length;
        }
    };
    convolve(d, pack, bias, act, stream);
}

}  // namespace

template <class T>
void conv2d(T* y, real* moments, const T* x, const T* w, const T* bias, const ConvShape& s, Activation act, Stream stream) {
    if (s.out_size() <= 0) return;
    const auto filtered = [&](auto form) { winograd_convolve<decltype(form)>({y, x, w, bias, s, act, false}, stream); };
    if (!with_filtering(s, stream, filtered)) direct_conv2d(y, x, w, bias, s, act, stream);
    if (moments) GANNET_ISA::moments(moments, y, RowsShape{s.N * s.P * s.Q, s.OC}, stream);
}

template <class T>
void conv2d_dgrad(T* dx, real* moments, const T* dy, const T* w, const T* bias, const ConvShape& s, Activation act,
                  Stream stream) {
    if (s.in_size() <= 0) return;
    const auto filtered = [&](auto form) { winograd_convolve<decltype(form)>({dx, dy, w, bias, s, act, true}, stream); };
    if (!with_filtering(s, stream, filtered)) {
        if (s.C <= few_cols) dgrad_scatter(dx, dy, w, bias, s, act, stream);
        else direct_conv2d_dgrad(dx, dy, w, bias, s, act, stream);
    }
    if (moments) GANNET_ISA::moments(moments, dx, RowsShape{s.N * s.H * s.W, s.C}, stream);
}

template <class T>
void conv2d_wgrad(T* dw, const T* x, const T* dy, const ConvShape& s, Stream stream) {
    if (s.filter_size() <= 0) return;
    const auto filtered = [&](auto form) { winograd_wgrad<decltype(form)>(dw, x, dy, s, stream); };
    if (s.N > 0 && with_filtering(s, stream, filtered)) return;
    if (s.OC <= few_cols) wgrad_few_channels(dw, x, dy, s, stream);
    else wgrad_product(dw, x, dy, s, stream);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/conv2d.inl"
#include "kernels/cpu/instantiate.inl"
