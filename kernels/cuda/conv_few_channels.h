// Convolutions that read few channels, as operands of the tiled GEMM. With one step of k per tap (conv_operands.h), most of k
// would be zeros. So k is (tap row, tap column, channel), and each element of a patch is copied separately.
#pragma once
#include "kernels/cuda/conv_operands.h"

namespace gannet::kernels::cuda {

// k as (tap row, tap column, channel), and the same for a step, so that k advances without a division.
struct PatchDigits {
    int row, col, channel;

    __device__ __forceinline__ PatchDigits(int k, int cols, int channels)
        : row(k / channels / cols), col(k / channels % cols), channel(k % channels) {}
    __device__ __forceinline__ void advance(const PatchDigits& step, int cols, int channels) {
        channel += step.channel, col += step.col, row += step.row;
        if (channel >= channels) channel -= channels, ++col;
        if (col >= cols) col -= cols, ++row;
    }
};

// The input image: tap (t, u) is at `direction` * (t, u) from the corner of a pixel's patch.
struct PatchSource {
    int height, width, channels, taps_h, taps_w, direction;

    __device__ __forceinline__ int depth() const { return taps_h * taps_w * channels; }
};

// Four elements of the patch of a pixel, at four values of k.
template <class T, class Tile>
class PatchChunk {
    using A = OperandTile<Tile::rows, true>;

public:
    // (h, w) is the corner of the patch; h is `nowhere` beyond the last pixel.
    __device__ __forceinline__ PatchChunk(const T* image, const PatchSource& s, int64_t n, int h, int w, int64_t step)
        : s_(s),
          step_(tile_depth, s.taps_w, s.channels),
          h_(h),
          w_(w),
          k_(int(step) * tile_depth + A::chunk_k()),
          corner_(image + ((n * s.height + h) * s.width + w) * s.channels),
          digits_{{k_, s.taps_w, s.channels},
                  {k_ + 1, s.taps_w, s.channels},
                  {k_ + 2, s.taps_w, s.channels},
                  {k_ + 3, s.taps_w, s.channels}} {}

    template <class F>
    __device__ __forceinline__ void each(const F& f) const {
#pragma unroll
        for (int i = 0; i < chunk; ++i) {
            const PatchDigits& d = digits_[i];
            const int row = s_.direction * d.row, col = s_.direction * d.col;
            const bool inside = unsigned(h_ + row) < unsigned(s_.height) && unsigned(w_ + col) < unsigned(s_.width);
            f(i, corner_ + (row * s_.width + col) * s_.channels + d.channel, inside && k_ + i < s_.depth());
        }
    }
    __device__ __forceinline__ void advance() {
        k_ += tile_depth;
#pragma unroll
        for (int i = 0; i < chunk; ++i) digits_[i].advance(step_, s_.taps_w, s_.channels);
    }
    __device__ __forceinline__ int k() const { return k_; }

private:
    const PatchSource s_;
    const PatchDigits step_;
    int h_, w_, k_;
    const T* corner_;
    PatchDigits digits_[chunk];
};

// y (N P Q, OC) = patches of x (N P Q, R S C) w^T.
template <class T, class Tile>
class FewChannelsOperands {
public:
    static constexpr bool a_k_major = true, b_k_major = true;
    static constexpr int a_vector = 1, b_vector = 1;

    __device__ __forceinline__ FewChannelsOperands(const ConvArguments<T>& of, int64_t m0, int n0, int64_t step)
        : FewChannelsOperands(of, of.extents, corner_of_patch(of.extents, unsigned(m0 + A::chunk_row())), n0, step) {}

    static __device__ __forceinline__ int64_t steps(const ConvExtents& e) {
        return (e.R * e.S * e.C + tile_depth - 1) / tile_depth;
    }

    template <class F>
    __device__ __forceinline__ void each_a(const F& f) const {
        patch_.each(f);
    }
    template <class F>
    __device__ __forceinline__ void each_b(const F& f) const {
#pragma unroll
        for (int i = 0; i < chunk; ++i) f(i, filter_ + i, patch_.k() + i < depth_);
    }
    __device__ __forceinline__ void advance() { patch_.advance(), filter_ += tile_depth; }

private:
    using A = OperandTile<Tile::rows, true>;
    using B = OperandTile<Tile::cols, true>;

    __device__ __forceinline__ FewChannelsOperands(const ConvArguments<T>& of, const ConvExtents& e, const PatchCorner& at,
                                                   int n0, int64_t step)
        : patch_(of.a, {e.H, e.W, e.C, e.R, e.S, 1}, at.n, at.row, at.col, step), depth_(e.R * e.S * e.C) {
        const int wanted = n0 + B::chunk_row(), o = wanted < e.OC ? wanted : e.OC - 1;  // see MatrixChunk
        filter_ = of.b + int64_t(o) * depth_ + step * tile_depth + B::chunk_k();
    }

    PatchChunk<T, Tile> patch_;
    const int depth_;
    const T* filter_;
};

// A phase of dx (N rows cols, C) = patches of dy (N rows cols, taps OC) w.
template <class T, class Tile>
class FewChannelsAdjointOperands {
public:
    static constexpr bool a_k_major = true, b_k_major = false;
    static constexpr int a_vector = 1, b_vector = 1;

    __device__ __forceinline__ FewChannelsAdjointOperands(const ConvArguments<T>& of, const ConvPhase& phase, int64_t m0, int n0,
                                                          int64_t step)
        : FewChannelsAdjointOperands(of, of.extents, phase, corner_of_adjoint(of.extents, phase, unsigned(m0 + A::chunk_row())),
                                     n0, step) {}

    static __device__ __forceinline__ int64_t steps(const ConvExtents& e, const ConvPhase& phase) {
        return (phase.h.taps * phase.w.taps * e.OC + tile_depth - 1) / tile_depth;
    }

    template <class F>
    __device__ __forceinline__ void each_a(const F& f) const {
        patch_.each(f);
    }
    template <class F>
    __device__ __forceinline__ void each_b(const F& f) const {
        const int tap = (tap_row_ + k_.row * e_.stride) * e_.S + tap_col_ + k_.col * e_.stride;
        const T* const from = filter_ + (int64_t(k_.channel) * e_.R * e_.S + tap) * e_.C;
#pragma unroll
        for (int i = 0; i < chunk; ++i) f(i, from + i, k_.row < taps_h_ && i < cols_);
    }
    __device__ __forceinline__ void advance() { patch_.advance(), k_.advance(step_, taps_w_, e_.OC); }

private:
    using A = OperandTile<Tile::rows, true>;
    using B = OperandTile<Tile::cols, false>;

    __device__ __forceinline__ FewChannelsAdjointOperands(const ConvArguments<T>& of, const ConvExtents& e,
                                                          const ConvPhase& phase, const PatchCorner& at, int n0, int64_t step)
        : e_(e),
          patch_(of.a, {e.P, e.Q, e.OC, phase.h.taps, phase.w.taps, -1}, at.n, at.row, at.col, step),
          k_(int(step) * tile_depth + B::chunk_k(), phase.w.taps, e.OC),
          step_(tile_depth, phase.w.taps, e.OC),
          tap_row_(phase.h.tap),
          tap_col_(phase.w.tap),
          taps_h_(phase.h.taps),
          taps_w_(phase.w.taps),
          cols_(e.C - n0 - B::chunk_row()),
          filter_(of.b + n0 + B::chunk_row()) {}

    const ConvExtents& e_;
    PatchChunk<T, Tile> patch_;
    PatchDigits k_;
    const PatchDigits step_;
    const int tap_row_, tap_col_, taps_h_, taps_w_, cols_;
    const T* const filter_;
};

// dw (OC R S, C) = patches of dy (N H W, OC R S)^T x (N H W, C), for few filters: the rows of the GEMM are (filter, tap), and k
// runs over the pixels of x. Pixel (h, w) is multiplied by dy at ((h + padding - r) / stride, (w + padding - s) / stride) if
// these are integers.
template <class T, class Tile, int vector>
class FewFiltersGradientOperands {
public:
    static constexpr bool a_k_major = false, b_k_major = false;
    static constexpr int a_vector = 1, b_vector = vector;

    __device__ __forceinline__ FewFiltersGradientOperands(const ConvArguments<T>& of, int64_t m0, int n0, int64_t step)
        : e_(of.extents),
          x_(of.b, n0, e_.C, e_.N * e_.H * e_.W, step * tile_depth),
          dy_(of.a),
          one_stride_(uint32_t(((uint64_t(1) << 32) + unsigned(e_.stride) - 1) / unsigned(e_.stride))) {
        const unsigned k = unsigned(step * tile_depth + A::chunk_k()), nh = k / unsigned(e_.W);
        w_ = int(k % unsigned(e_.W)), h_ = int(nh % unsigned(e_.H)), n_ = int(nh / unsigned(e_.H));
        step_w_ = tile_depth % e_.W, step_h_ = tile_depth / e_.W % e_.H, step_n_ = tile_depth / e_.W / e_.H;
#pragma unroll
        for (int i = 0; i < chunk; ++i) {
            const int row = int(m0) + A::chunk_row() + i, tap = row % (e_.R * e_.S);
            taps_[i] = {row < e_.OC * e_.R * e_.S ? e_.padding - tap / e_.S : nowhere, e_.padding - tap % e_.S,
                        row / (e_.R * e_.S)};
        }
    }

    static __device__ __forceinline__ int64_t steps(const ConvExtents& e) {
        return (e.N * e.H * e.W + tile_depth - 1) / tile_depth;
    }

    template <class F>
    __device__ __forceinline__ void each_a(const F& f) const {
#pragma unroll
        for (int i = 0; i < chunk; ++i) {
            const int h = h_ + taps_[i].h, w = w_ + taps_[i].w, p = divide(h), q = divide(w);
            const bool whole = p * e_.stride == h && q * e_.stride == w;
            const bool inside = whole && unsigned(p) < unsigned(e_.P) && unsigned(q) < unsigned(e_.Q) && x_.k_left() > 0;
            f(i, dy_ + ((int64_t(n_) * e_.P + p) * e_.Q + q) * e_.OC + taps_[i].o, inside);
        }
    }
    template <class F>
    __device__ __forceinline__ void each_b(const F& f) const {
        x_.each(f, x_.k_left());
    }
    __device__ __forceinline__ void advance() {
        x_.advance();
        w_ += step_w_, h_ += step_h_, n_ += step_n_;
        if (w_ >= e_.W) w_ -= e_.W, ++h_;
        if (h_ >= e_.H) h_ -= e_.H, ++n_;
    }

private:
    using A = OperandTile<Tile::rows, false>;
    struct Tap {
        int h, w, o;
    };

    // x / stride for 0 <= x < 2^32 / stride; for negative x a value outside dy
    __device__ __forceinline__ int divide(int x) const {
        if (e_.stride == 1) return x;
        return x < 0 ? -1 : int((uint64_t(unsigned(x)) * one_stride_) >> 32);
    }

    const ConvExtents& e_;
    MatrixChunk<T, Tile::cols, false, vector> x_;
    const T* const& dy_;
    uint32_t one_stride_;
    int h_, w_, n_, step_h_, step_w_, step_n_;
    Tap taps_[chunk];
};

}  // namespace gannet::kernels::cuda
