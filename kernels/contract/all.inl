// The contract: every kernel, declared once, included into the namespace of every backend (kernels.h).
// Outputs come first, then inputs, shape and scalars, the stream last. Kernels overwrite their outputs and alias nothing,
// except those named *_update. T is the type of activations and weights; sums and moments are `real`.
// `act` at the end of a matrix product or a norm is an activation without `needs_input` (kernels/activation.h).
#include "kernels/contract/conv2d.inl"
#include "kernels/contract/image.inl"
#include "kernels/contract/loss.inl"
#include "kernels/contract/matmul.inl"
#include "kernels/contract/norm.inl"
#include "kernels/contract/optimizer.inl"
#include "kernels/contract/pointwise.inl"
#include "kernels/contract/random.inl"
#include "kernels/contract/reduce.inl"
