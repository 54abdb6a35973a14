// Convolutions as operands of the tiled GEMM (tile.h): addresses of image patches and filters for each step of k.
//
// A step of k is tile_depth channels of one tap of the filter. The last step of a tap is padded with zeros, so no step spans two
// taps, and a step needs one address and one test. Each thread computes the properties of its pixel once.
#pragma once
#include "kernels/cuda/matmul_operands.h"

namespace gannet::kernels::cuda {

// ConvShape for the kernels, with 32-bit values; conv2d.cu checks that they fit.
struct ConvExtents {
    int H, W, C, P, Q, OC, R, S, stride, padding;
    int64_t N;
};

template <class T>
struct ConvArguments {
    const T *a, *b;  // the operands in the order of the GEMM
    ConvExtents extents;

    std::string extents_text() const {
        const auto text = [](auto... n) { return ((" " + std::to_string(n)) + ...); };
        const ConvExtents& e = extents;
        return "conv NHWC" + text(e.N, e.H, e.W, e.C) + " PQK" + text(e.P, e.Q, e.OC) + " RS" + text(e.R, e.S);
    }
};

// The coordinate of a row beyond the last pixel: every tap is outside the image.
inline constexpr int nowhere = -(1 << 30);

// Which taps of a thread's patch are inside the image, in order, starting at `first`: one bit per tap for up to 64 taps,
// otherwise coordinates that are compared. The taps of the patch are (row + t * step, col + u * step).
template <bool few_taps>
class InsideTaps;

template <>
class InsideTaps<true> {
public:
    __device__ __forceinline__ InsideTaps(int row, int col, int step, int rows, int cols, int height, int width, int first) {
        uint64_t inside_row = 0;
        for (int u = 0; u < cols; ++u)
            if (unsigned(col + u * step) < unsigned(width)) inside_row |= uint64_t(1) << u;
        for (int t = 0; t < rows; ++t)
            if (unsigned(row + t * step) < unsigned(height)) taps_ |= inside_row << (t * cols);
        taps_ >>= first;
    }
    __device__ __forceinline__ bool inside() const { return taps_ & 1; }
    __device__ __forceinline__ void next_tap(bool next, bool) { taps_ >>= next; }

private:
    uint64_t taps_ = 0;
};

template <>
class InsideTaps<false> {
public:
    __device__ __forceinline__ InsideTaps(int row, int col, int step, int, int cols, int height, int width, int first)
        : row_(row + first / cols * step),
          col_(col + first % cols * step),
          first_col_(col),
          step_(step),
          height_(height),
          width_(width) {}
    __device__ __forceinline__ bool inside() const {
        return unsigned(row_) < unsigned(height_) && unsigned(col_) < unsigned(width_);
    }
    __device__ __forceinline__ void next_tap(bool next, bool next_row) {
        row_ += next_row ? step_ : 0;
        col_ = next_row ? first_col_ : col_ + (next ? step_ : 0);
    }

private:
    int row_, col_, first_col_, step_, height_, width_;
};

// The position of the first tap of a pixel's patch in image n, or `nowhere` for pixels beyond the last.
struct PatchCorner {
    int row, col;
    int64_t n;
};
__device__ __forceinline__ PatchCorner corner_of_patch(const ConvExtents& e, unsigned m) {
    const unsigned q = m % unsigned(e.Q), np = m / unsigned(e.Q), p = np % unsigned(e.P), n = np / unsigned(e.P);
    return {n < e.N ? int(p) * e.stride - e.padding : nowhere, int(q) * e.stride - e.padding, n};
}

// y (N P Q, OC) = patches of x (N P Q, R S C) w^T.
template <class T, class Tile, int vector>
class ConvOperands {
public:
    static constexpr bool a_k_major = true, b_k_major = true;
    static constexpr int a_vector = vector, b_vector = vector;
    static constexpr bool whole_steps = vector > 1;  // C is a multiple of tile_depth, and there are at most 64 taps

    __device__ __forceinline__ ConvOperands(const ConvArguments<T>& of, int64_t m0, int n0, int64_t step)
        : ConvOperands(of.extents, of, unsigned(m0 + A::chunk_row()), n0, step) {}

    static __device__ __forceinline__ int64_t steps(const ConvExtents& e) { return e.R * e.S * steps_of_tap(e); }

    template <class F>
    __device__ __forceinline__ void each_a(const F& f) const {
#pragma unroll
        for (int i = 0; i < chunk; i += vector)
            f(i, x_ + image_ + i, taps_.inside() && (whole_steps || channel_ + A::chunk_k() + i < e_.C));
    }
    template <class F>
    __device__ __forceinline__ void each_b(const F& f) const {
#pragma unroll
        for (int i = 0; i < chunk; i += vector) f(i, w_ + filter_ + i, whole_steps || channel_ + B::chunk_k() + i < e_.C);
    }
    __device__ __forceinline__ void advance() {
        channel_ += tile_depth;
        const bool next_tap = channel_ >= e_.C, next_row = next_tap && s_ == e_.S - 1;
        const int step = tile_depth - (!whole_steps && next_tap ? channel_ - e_.C : 0);
        filter_ += step, image_ += step + (next_row ? (e_.W - e_.S) * e_.C : 0);
        channel_ = next_tap ? 0 : channel_;
        s_ = next_row ? 0 : s_ + next_tap;
        taps_.next_tap(next_tap, next_row);
    }

private:
    using A = OperandTile<Tile::rows, true>;
    using B = OperandTile<Tile::cols, true>;
    __device__ __forceinline__ ConvOperands(const ConvExtents& e, const ConvArguments<T>& of, unsigned m, int n0, int64_t step)
        : ConvOperands(e, of, corner_of_patch(e, m), n0, int(step / steps_of_tap(e)), int(step % steps_of_tap(e))) {}
    __device__ __forceinline__ ConvOperands(const ConvExtents& e, const ConvArguments<T>& of, const PatchCorner& at, int n0,
                                            int tap, int step)
        : e_(e),
          taps_(at.row, at.col, 1, e.R, e.S, e.H, e.W, tap),
          channel_(step * tile_depth),
          s_(tap % e.S),
          x_(of.a),
          w_(of.b) {
        image_ = int(((at.n * e.H + at.row + tap / e.S) * e.W + at.col + s_) * e.C) + channel_ + A::chunk_k();
        const int wanted = n0 + B::chunk_row(), o = wanted < e.OC ? wanted : e.OC - 1;  // see MatrixChunk
        filter_ = (o * e.R * e.S + tap) * e.C + channel_ + B::chunk_k();
    }
    static __device__ __forceinline__ int steps_of_tap(const ConvExtents& e) { return (e.C + tile_depth - 1) / tile_depth; }

    const ConvExtents& e_;
    InsideTaps<whole_steps> taps_;
    int channel_, s_;
    const T *const &x_, *const &w_;
    int image_, filter_;  // places in them
};

// The phases of conv2d_dgrad along one axis, computed by the launcher, so that no kernel divides by the stride.
struct AxisPhases {
    int stride, taps, long_until;     // phases below long_until have one more pixel
    int first_source, shift, kernel;  // padding / stride, padding % stride
    int pixels;                       // number of pixels of the longest phase
    int count() const { return pixels > 1 ? stride : long_until; }
};
inline AxisPhases axis_phases(int extent, int kernel, int stride, int padding) {
    const int pixels = (extent + stride - 1) / stride;
    return {stride, (kernel + stride - 1) / stride, extent - (pixels - 1) * stride, padding / stride, padding % stride, kernel,
            pixels};
}

// One phase of an axis: the pixels phase + i * stride, i < pixels, of dx. They use `taps` taps, every stride-th one from `tap`
// on. Pixel i uses dy at source + i - t with the t-th tap.
struct AxisPhase {
    int phase, pixels, source, tap, taps;

    __device__ __forceinline__ AxisPhase(const AxisPhases& of, int of_phase) : phase(of_phase) {
        const bool next = phase + of.shift >= of.stride;
        pixels = of.pixels - (phase < of.long_until ? 0 : 1);
        source = of.first_source + (next ? 1 : 0);
        tap = phase + of.shift - (next ? of.stride : 0);
        taps = of.taps - (tap + (of.taps - 1) * of.stride < of.kernel ? 0 : 1);
    }
};

struct ConvPhase {
    AxisPhase h, w;

    __device__ __forceinline__ int64_t pixels(const ConvExtents& e) const { return e.N * h.pixels * w.pixels; }
    // The position of pixel m of the phase in dx.
    __device__ __forceinline__ int64_t place(const ConvExtents& e, unsigned m) const {
        const unsigned j = m % unsigned(w.pixels), ni = m / unsigned(w.pixels), i = ni % unsigned(h.pixels),
                       n = ni / unsigned(h.pixels);
        return ((int64_t(n) * e.H + h.phase + int(i) * e.stride) * e.W + w.phase + int(j) * e.stride) * e.C;
    }
};

// The position of the first tap of pixel m of a phase.
__device__ __forceinline__ PatchCorner corner_of_adjoint(const ConvExtents& e, const ConvPhase& phase, unsigned m) {
    const unsigned j = m % unsigned(phase.w.pixels), ni = m / unsigned(phase.w.pixels);
    const unsigned i = ni % unsigned(phase.h.pixels), n = ni / unsigned(phase.h.pixels);
    return {n < e.N ? phase.h.source + int(i) : nowhere, phase.w.source + int(j), n};
}

// A phase of dx (N rows cols, C) = patches of dy (N rows cols, taps OC) w.
template <class T, class Tile, int vector>
class AdjointOperands {
public:
    static constexpr bool a_k_major = true, b_k_major = false;
    static constexpr int a_vector = vector, b_vector = vector;
    static constexpr bool whole_steps = vector > 1;  // OC is a multiple of tile_depth, and there are at most 64 taps

    __device__ __forceinline__ AdjointOperands(const ConvArguments<T>& of, const ConvPhase& phase, int64_t m0, int n0,
                                               int64_t step)
        : AdjointOperands(of.extents, of, phase, unsigned(m0 + A::chunk_row()), n0, step) {}

    static __device__ __forceinline__ int64_t steps(const ConvExtents& e, const ConvPhase& phase) {
        return phase.h.taps * phase.w.taps * steps_of_tap(e);
    }

    template <class F>
    __device__ __forceinline__ void each_a(const F& f) const {
#pragma unroll
        for (int i = 0; i < chunk; i += vector)
            f(i, dy_ + image_ + i, taps_.inside() && (whole_steps || channel_ + A::chunk_k() + i < e_.OC));
    }
    template <class F>
    __device__ __forceinline__ void each_b(const F& f) const {
#pragma unroll
        for (int i = 0; i < chunk; i += vector)
            f(i, w_ + filter_ + i, whole_steps || (channel_ + B::chunk_k() < e_.OC && i < cols_));
    }
    __device__ __forceinline__ void advance() {
        channel_ += tile_depth;
        const bool next_tap = channel_ >= e_.OC, next_row = next_tap && u_ == taps_w_ - 1;
        const int steps = channel_;
        channel_ = next_tap ? 0 : channel_;
        u_ = next_row ? 0 : u_ + next_tap;
        image_ += tile_depth - (next_tap ? steps + e_.OC : 0) - (next_row ? (e_.Q - taps_w_) * e_.OC : 0);
        filter_ += tile_depth * filter_size(e_) + (next_tap ? e_.stride * e_.C - steps * filter_size(e_) : 0) +
                   (next_row ? (e_.S - taps_w_) * e_.stride * e_.C : 0);
        taps_.next_tap(next_tap, next_row);
    }

private:
    using A = OperandTile<Tile::rows, true>;
    using B = OperandTile<Tile::cols, false>;
    __device__ __forceinline__ AdjointOperands(const ConvExtents& e, const ConvArguments<T>& of, const ConvPhase& phase,
                                               unsigned m, int n0, int64_t step)
        : AdjointOperands(e, of, phase, corner_of_adjoint(e, phase, m), n0, int(step / steps_of_tap(e)),
                          int(step % steps_of_tap(e))) {}
    __device__ __forceinline__ AdjointOperands(const ConvExtents& e, const ConvArguments<T>& of, const ConvPhase& phase,
                                               const PatchCorner& at, int n0, int tap, int step)
        : e_(e),
          taps_(at.row, at.col, -1, phase.h.taps, phase.w.taps, e.P, e.Q, tap),
          channel_(step * tile_depth),
          taps_w_(phase.w.taps),
          u_(tap % phase.w.taps),
          dy_(of.a),
          w_(of.b) {
        const int t = tap / taps_w_;
        image_ = int(((at.n * e.P + at.row - t) * e.Q + at.col - u_) * e.OC) + channel_ + A::chunk_k();
        const int last = e.C - vector, wanted = n0 + B::chunk_row(), c = wanted < last ? wanted : last;  // see MatrixChunk
        cols_ = e.C - wanted;
        filter_ = (channel_ + B::chunk_k()) * filter_size(e) + c +
                  ((phase.h.tap + t * e.stride) * e.S + phase.w.tap + u_ * e.stride) * e.C;
    }
    static __device__ __forceinline__ int steps_of_tap(const ConvExtents& e) { return (e.OC + tile_depth - 1) / tile_depth; }
    static __device__ __forceinline__ int filter_size(const ConvExtents& e) { return e.R * e.S * e.C; }  // values of one filter

    const ConvExtents& e_;
    InsideTaps<whole_steps> taps_;
    int channel_, taps_w_, u_, cols_;
    const T *const &dy_, *const &w_;
    int image_, filter_;  // places in them
};

// dw (OC, R S C) = dy^T (OC, N P Q) patches of x (N P Q, R S C). The columns of a thread are fixed; k runs over the pixels.
template <class T, class Tile, int vector_a, int vector_b>
class FilterGradientOperands {
public:
    static constexpr bool a_k_major = false, b_k_major = false;
    static constexpr int a_vector = vector_a, b_vector = vector_b;

    static __device__ __forceinline__ int64_t steps(const ConvExtents& e) {
        return (e.N * e.P * e.Q + tile_depth - 1) / tile_depth;
    }

    __device__ __forceinline__ FilterGradientOperands(const ConvArguments<T>& of, int64_t m0, int n0, int64_t step)
        : e_(of.extents), dy_(of.a, m0, e_.OC, e_.N * e_.P * e_.Q, step * tile_depth) {
        using B = OperandTile<Tile::cols, false>;
        const unsigned k = unsigned(step * tile_depth + B::chunk_k());
        const unsigned q = k % unsigned(e_.Q), np = k / unsigned(e_.Q), p = np % unsigned(e_.P), n = np / unsigned(e_.P);
        const int columns = e_.R * e_.S * e_.C, first = n0 + B::chunk_row();
#pragma unroll
        for (int i = 0; i < pieces; ++i) {
            const int column = first + i * b_vector, c = column % e_.C, s = column / e_.C % e_.S, r = column / e_.C / e_.S;
            const int h = int(p) * e_.stride - e_.padding + r, w = int(q) * e_.stride - e_.padding + s;
            if (i == 0) h_ = h, w_ = w, image_ = of.b + ((int64_t(n) * e_.H + h) * e_.W + w) * e_.C + c;
            apart_[i] = {h - h_, w - w_, ((h - h_) * e_.W + w - w_) * e_.C + c - first % e_.C};
            if (column >= columns) apart_[i].h = nowhere;
        }
        h_end_ = h_ + (e_.P - int(p)) * e_.stride, w_end_ = w_ + (e_.Q - int(q)) * e_.stride;

        // a step advances by `images` images, `rows` rows and `cols` pixels of dy
        const int cols = tile_depth % e_.Q, rows = tile_depth / e_.Q % e_.P, images = tile_depth / e_.Q / e_.P;
        step_h_ = rows * e_.stride, step_w_ = cols * e_.stride;
        step_ = ((images * e_.H + step_h_) * e_.W + step_w_) * e_.C;
    }

    template <class F>
    __device__ __forceinline__ void each_a(const F& f) const {
        dy_.each(f, dy_.k_left());
    }
    template <class F>
    __device__ __forceinline__ void each_b(const F& f) const {
#pragma unroll
        for (int i = 0; i < pieces; ++i) {
            const bool inside = unsigned(h_ + apart_[i].h) < unsigned(e_.H) && unsigned(w_ + apart_[i].w) < unsigned(e_.W);
            f(i * b_vector, image_ + apart_[i].place, inside && dy_.k_left() > 0);
        }
    }
    __device__ __forceinline__ void advance() {
        dy_.advance();
        int step = step_;
        w_ += step_w_, h_ += step_h_;
        if (w_ >= w_end_) w_ -= e_.Q * e_.stride, h_ += e_.stride, step += (e_.W - e_.Q) * e_.stride * e_.C;
        if (h_ >= h_end_) h_ -= e_.P * e_.stride, step += (e_.H - e_.P * e_.stride) * e_.W * e_.C;
        image_ += step;
    }

private:
    static constexpr int pieces = chunk / b_vector;
    struct Apart {
        int h, w, place;
    };

    const ConvExtents& e_;
    MatrixChunk<T, Tile::rows, false, a_vector> dy_;
    const T* image_;
    int h_, w_, h_end_, w_end_;
    int step_, step_h_, step_w_;
    Apart apart_[pieces];  // taps and channels of the other columns, relative to those of the first
};

}  // namespace gannet::kernels::cuda
