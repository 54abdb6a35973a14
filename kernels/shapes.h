// Shapes and scalar parameters of the kernels, one struct each, shared by all backends. Letters: matmul M,N,K; images N,H,W,C in,
// N,P,Q,OC out, filter R,S. Everything is row-major and contiguous; images are NHWC.
#pragma once
#include <cstdint>

#include "kernels/activation.h"
#include "kernels/real.h"

namespace gannet {

// The execution context of a kernel: kernels/execution.h.
struct Execution;
using Stream = const Execution*;

// c (M,N) = op(a) op(b), where op(a) is (M,K) and op(b) is (K,N).
// a is stored (M,K), or (K,M) if transpose_a; b is stored (K,N), or (N,K) if transpose_b.
struct MatmulShape {
    int64_t M = 0, N = 0, K = 0;
    bool transpose_a = false, transpose_b = false;
};

// y (N,P,Q,OC) = conv2d(x (N,H,W,C), w (OC,R,S,C)). The struct has the extents of both sides, so the output padding of the data
// gradient (= transposed convolution, from y to x) is unambiguous.
struct ConvShape {
    int64_t N = 0, H = 0, W = 0, C = 0;
    int64_t P = 0, Q = 0, OC = 0;
    int64_t R = 1, S = 1;
    int64_t stride = 1, padding = 0;

    int64_t in_size() const { return N * H * W * C; }
    int64_t out_size() const { return N * P * Q * OC; }
    int64_t filter_size() const { return OC * R * S * C; }
};

// A matrix seen by reductions and normalisations. For batch norm rows = N*H*W and cols = C; for layer norm rows = N and
// cols = H*W*C; for a whole tensor rows = 1.
struct RowsShape {
    int64_t rows = 0, cols = 0;
    int64_t size() const { return rows * cols; }
};

// The running statistics of one batch norm, and the statistics of the batch that update them: running[0..cols) (mean) and
// running[cols..2 cols) (unbiased variance) become (1 - momentum) running + momentum batch. rows == 1 uses the biased variance.
struct RunningStats {
    real* running = nullptr;
    const real* mean_var = nullptr;  // of `rows` values each
    RowsShape shape;
    real momentum = 0;

    GANNET_HD real unbiased() const { return shape.rows > 1 ? real(double(shape.rows) / double(shape.rows - 1)) : real(1); }
};
inline constexpr int64_t most_running_stats = 16;  // maximum of one call

// `batch` matrices of (rows, cols), each transposed to (cols, rows). NHWC -> NCHW is rows = H*W, cols = C.
struct TransposeShape {
    int64_t batch = 0, rows = 0, cols = 0;
    int64_t size() const { return batch * rows * cols; }
};

// x (N,H,W,C) -> y (N,H*scale,W*scale,C), each pixel repeated scale x scale times.
struct UpsampleShape {
    int64_t N = 0, H = 0, W = 0, C = 0, scale = 1;
    int64_t in_size() const { return N * H * W * C; }
    int64_t out_size() const { return in_size() * scale * scale; }
};

// ---- random draws --------------------------------------------------------------------------------------------------
// A draw is a pure function: key = seed; counter = (element / 4, sample, step, update | stream). See philox.h.

// Values that change with the step. They are in device memory, so that a captured graph can be replayed.
struct Counters {
    int64_t step = 0;         // number of steps done
    int64_t images_seen = 0;  // real images consumed before this step
};

// The purpose of a draw: `stream` is the purpose (engine/tensor/random.h), `update` the update within the step.
struct RandomKey {
    uint64_t seed = 0;
    uint32_t stream = 0;  // 20 bits
    uint32_t update = 0;  // 12 bits
};

// The elements to draw: samples [first_sample, first_sample + samples) of `per_sample` elements each.
struct DrawShape {
    int64_t first_sample = 0, samples = 0, per_sample = 0;
    int64_t size() const { return samples * per_sample; }
};

// Dropout over x (samples, spatial, channels): one draw per element, or per (sample, channel) if `channelwise`.
struct DropoutShape {
    int64_t first_sample = 0, samples = 0, spatial = 1, channels = 0;
    bool channelwise = false;
    int64_t size() const { return samples * spatial * channels; }
};

// ---- data ----------------------------------------------------------------------------------------------------------

// A batch from `count` images of `per_image` bytes: y = byte * scale + offset. The order is the keyed bijection of
// (seed, epoch, index); `usable` images (count less the dropped partial batch) make an epoch.
struct GatherShape {
    int64_t count = 0, usable = 0, per_image = 0;
    int64_t first = 0, batch = 0;  // images [images_seen + first, images_seen + first + batch) of the endless sequence
    uint64_t seed = 0;
    real scale = real(1) / 255, offset = 0;
    bool shuffle = true;
};

// ---- losses --------------------------------------------------------------------------------------------------------

// `weight` times the mean over n scores x of f(x):
//   bce              -(t log p + (1-t) log(1-p)), p = x; logs floored at -100 (epsilon = 0) or p clipped to [epsilon, 1-epsilon]
//   bce_with_logits  softplus(x) - t x
//   least_squares    (x - t)^2
//   hinge            max(0, 1 - t x), t = +1 or -1
//   linear           t x                (Wasserstein)
enum class LossKind : int32_t { bce, bce_with_logits, least_squares, hinge, linear };
struct LossForm {
    LossKind kind = LossKind::bce_with_logits;
    real target = 1;
    real epsilon = 0;
    real weight = 1;
    bool operator==(const LossForm&) const = default;
};

// ---- optimizers ----------------------------------------------------------------------------------------------------

// In device memory, so that a captured graph can be replayed with another learning rate or counter.
struct OptimizerState {
    double lr = 0;
    int64_t updates = 0;                      // t, advanced by optimizer_advance_update
    double correction1 = 1, correction2 = 1;  // 1 - beta1^t, 1 - beta2^t
};

// Adam, Kingma and Ba, arXiv 1412.6980, as torch.optim.Adam (weight_decay is L2, added to the gradient).
struct AdamParameters {
    double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
    bool operator==(const AdamParameters&) const = default;
};
// torch.optim.RMSprop: v = alpha v + (1-alpha) g^2, w -= lr g / (sqrt(v) + eps); with eps_inside_sqrt (TensorFlow) g / sqrt(v +
// eps).
struct RmspropParameters {
    double alpha = 0.99, eps = 1e-8, momentum = 0, weight_decay = 0;
    bool eps_inside_sqrt = false;
    bool operator==(const RmspropParameters&) const = default;
};
// torch.optim.SGD: m = momentum m + g (m = g at the first update), w -= lr (nesterov ? g + momentum m : m).
struct SgdParameters {
    double momentum = 0, weight_decay = 0;
    bool nesterov = false;
    bool operator==(const SgdParameters&) const = default;
};

// Lion, Chen et al., arXiv 2302.06675: w -= lr (sign(beta1 m + (1-beta1) g) + weight_decay w), m = beta2 m + (1-beta2) g.
struct LionParameters {
    double beta1 = 0.9, beta2 = 0.99, weight_decay = 0;
    bool operator==(const LionParameters&) const = default;
};

// Added under every norm's square root, so that the gradient of a zero row is zero, not NaN.
inline constexpr double norm_epsilon = 1e-12;

}  // namespace gannet
