// The differentiable ops. Each op does four things in this order: check, allocate, run, record. Its gradient rule consists of
// ops. Gradients of ops of the linear family are ops of the family: matmul for matmul, conv2d / conv2d_dgrad / conv2d_wgrad for
// each other, sum_rows for expand_rows, and so on.
//
// `into`, if an op has it, is memory for the result (a parameter's place in the network's flat gradient buffer). Ops check
// shapes; an Error names the op and both shapes.
#pragma once
#include "engine/autograd/tape.h"
#include "engine/tensor/tensor.h"
#include "kernels/shapes.h"

namespace gannet {

// ---- shape: no arithmetic ------------------------------------------------------------------------------------------
Tensor identity(const Tensor& x);                                         // the same memory, a new node on the tape
Tensor reshape(const Tensor& x, Shape shape);                             // the same memory
Tensors split_rows(const Tensor& x, const std::vector<int64_t>& rows);    // splits axis 0; shares the memory of x
Tensor concat_rows(const Tensors& xs);                                    // along axis 0; its adjoint
Tensor transpose(const Tensor& x, const TransposeShape& s, Shape shape);  // last two of three axes; result has `shape`
Tensor upsample_nearest(const Tensor& x, int64_t scale);                  // (N,H,W,C) -> (N,H*scale,W*scale,C)
Tensor upsample_nearest_grad(const Tensor& dy, int64_t scale);            // its adjoint

// ---- pointwise: operands of one shape ------------------------------------------------------------------------------
Tensor add(const Tensor& a, const Tensor& b, const Tensor& into = {});
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor affine(const Tensor& x, real scale, real offset);  // scale x + offset
Tensor scale(const Tensor& x, real factor);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor softplus(const Tensor& x);
Tensor clamp(const Tensor& x, real low, real high);
Tensor clamp_grad(const Tensor& x, const Tensor& dy, real low, real high);
Tensor activation(const Tensor& x, Activation act);
// act'(x) dy. `kept` is what act's derivative is computed from: x where its row says `needs_input`, else activation(x)
Tensor activation_grad(const Tensor& kept, const Tensor& dy, Activation act);

// ---- reductions and their adjoints, over the matrix s ---------------------------------------------------------------
Tensor sum_rows(const Tensor& x, const RowsShape& s, const Tensor& into = {});  // -> (cols)
Tensor sum_cols(const Tensor& x, const RowsShape& s);                           // -> (rows)
Tensor expand_rows(const Tensor& v, const RowsShape& s, Shape shape);           // (cols) -> shape
Tensor expand_cols(const Tensor& v, const RowsShape& s, Shape shape);           // (rows) -> shape
Tensor sum(const Tensor& x);                                                    // -> ()
Tensor mean(const Tensor& x);                                                   // -> ()
Tensor expand(const Tensor& scalar, Shape shape);                               // adjoint of sum
Tensor row_norm(const Tensor& x, const RowsShape& s);                           // -> (rows), sqrt(sum + 1e-12)

// ---- matrix products and convolutions -------------------------------------------------------------------------------
// op(a) op(b), 2-D, each operand transposed or not
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false, const Tensor& into = {});
// act(x w^T + bias): x (M,K), w (N,K), bias (N) or absent. `moments`, if given, receives the mean and biased variance of
// each column, for a batch norm that follows.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias, Activation act = {}, Tensor* moments = nullptr);
// x (N,H,W,C), w (OC,R,S,C), bias (OC) or absent -> (N,P,Q,OC)
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvShape& s, Activation act = {},
              Tensor* moments = nullptr);
// dy (N,P,Q,OC), w (OC,R,S,C), bias (C) or absent -> (N,H,W,C). conv_transpose2d is this op.
Tensor conv2d_dgrad(const Tensor& dy, const Tensor& w, const Tensor& bias, const ConvShape& s, Activation act = {},
                    Tensor* moments = nullptr);
// x (N,H,W,C), dy (N,P,Q,OC) -> (OC,R,S,C)
Tensor conv2d_wgrad(const Tensor& x, const Tensor& dy, const ConvShape& s, const Tensor& into = {});
// {activation_grad(kept, dy), its sum over rows}: the backward of bias + activation
Tensors bias_activation_grad(const Tensor& kept, const Tensor& dy, const RowsShape& s, Activation act,
                             const Tensor& into_bias = {});

// ---- normalisation --------------------------------------------------------------------------------------------------
// Over each column of s; gamma and beta (cols) or both absent. `mean_var` (2 cols) holds the batch's mean and biased
// variance; if absent it is computed and returned through the pointer.
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const RowsShape& s, real eps, Activation act = {},
                  Tensor* mean_var = nullptr);
// With fixed statistics running (2 cols): mean, variance
Tensor batch_norm_eval(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running, const RowsShape& s,
                       real eps, Activation act = {});
// Over each row of s; gamma and beta (cols) or both absent
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const RowsShape& s, real eps, Activation act = {});
// The same, composed of other ops: defines the second derivatives of the fused forms, and the reference in their tests
Tensor batch_norm_composition(const Tensor& x, const Tensor& gamma, const Tensor& beta, const RowsShape& s, real eps,
                              Activation act);
Tensor layer_norm_composition(const Tensor& x, const Tensor& gamma, const Tensor& beta, const RowsShape& s, real eps,
                              Activation act);

// ---- losses: means over all elements, -> () ---------------------------------------------------------------------------
Tensor loss(const Tensor& scores, const LossForm& form, const Tensor& plus = {});  // plus `plus`, another loss
Tensor loss_composition(const Tensor& scores, const LossForm& form);
// The loss of the first half of the rows plus that of the second: real and fake scores as one batch.
Tensor joined_loss(const Tensor& scores, const LossForm& first, const LossForm& second);
Tensor joined_loss_composition(const Tensor& scores, const LossForm& first, const LossForm& second);
// Softmax cross-entropy of scores (rows, classes) against labels (rows), integers in [0, classes) as `real`: the mean over rows
// of log(sum_j exp(x_j)) - x_label. No gradient flows into the labels.
Tensor cross_entropy(const Tensor& scores, const Tensor& labels);
Tensor cross_entropy_composition(const Tensor& scores, const Tensor& labels);
// weight times the mean over rows of (row_norm - target)^2
Tensor gradient_penalty(const Tensor& gradient, const RowsShape& s, real target = 1, real weight = 1);
Tensor gradient_penalty_composition(const Tensor& gradient, const RowsShape& s, real target = 1, real weight = 1);

// ---- random draws -----------------------------------------------------------------------------------------------------
// The source of random numbers: counters in device memory and a key. They must not change between forward and backward.
struct RandomSource {
    DeviceAddress<Counters> counters = {};
    RandomKey key;
};
Tensor uniform(Shape shape, const RandomSource& source, int64_t first_sample, real low, real high, Device device);
Tensor normal(Shape shape, const RandomSource& source, int64_t first_sample, real mean, real stddev, Device device);
Tensor dropout(const Tensor& x, const RandomSource& source, const DropoutShape& s, real p);
// fake + weight (real - fake), one weight per sample of axis 0; not recorded
Tensor interpolate(const Tensor& real_images, const Tensor& fake, const Tensor& weight);

}  // namespace gannet
