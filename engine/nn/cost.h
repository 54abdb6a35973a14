// The cost of passes through a network, from the modules' descriptions and the fusion plans.
#pragma once
#include "engine/nn/network.h"

namespace gannet {

// What a step does with one network. Passes are of one batch of samples.
struct Work {
    double forward = 0;
    double to_weights = 0;  // backward passes to the weights: the input needs no gradient
    double to_input = 0;    // backward passes to the input only
    double penalties = 0;   // a forward pass, a backward pass to the input, and the gradients of both by the weights
    double joined = 0;      // of `forward` and `to_weights`, pairs that are one pass of a batch twice as large
    double images = 0;      // batches of real images that are read
    double added = 0;       // gradients that are added to those of an earlier term
    double updates = 0;
};

// Multiplications and additions of matrix products and convolutions, counted by the direct algorithm: Winograd counts as the
// same work done faster. All passes count at the size of the network's input, even if the generator's images have another size
// (allow_size_mismatch).
struct Flops {
    double forward = 0;
    double data_gradient = 0;    // to the weights: of all layers but the first, whose input needs no gradient
    double weight_gradient = 0;  // once for each pass to the weights
    // Forward and the data gradient down to the input; that gradient's own derivatives, by the weights and, but for the last
    // layer's, by the gradients that came in; and through layers whose slope itself has one (tanh, sigmoid, the norms) back into
    // the forward pass.
    double penalty = 0;
    double total() const { return forward + data_gradient + weight_gradient + penalty; }
    Flops operator+(const Flops& o) const;
};
Flops flops(const Network& network, const Work& work, int64_t batch);

// An estimate of the bytes that move: every array that a kernel reads or writes counts once per kernel, as if no cache kept data
// between kernels. Fused layers: an activation costs nothing forward unless its derivative needs its input (gelu, silu), a batch
// norm gets its moments from the layer before. Accurate to some tens of per cent; for rooflines.
struct Bytes {
    double products = 0;     // matrix products and convolutions: both operands and the result, in each pass of Flops; where two
                             // passes are joined, the weights count once for both
    double norms = 0;        // forward x -> y, backward x, y, dy -> dx
    double activations = 0;  // backward y, dy -> dx, if no norm does it
    double others = 0;       // upsample, dropout, transposes ...: in -> out and back
    double optimizers = 0;   // parameters, gradients and moments; clipping; the sums of gradients
    double data = 0;         // real images, joined batches, interpolation, the penalty's norms
    double total() const { return products + norms + activations + others + optimizers + data; }
    Bytes operator+(const Bytes& o) const;
};
// `words`: those that an update moves for each parameter (Optimizer::words).
Bytes bytes(const Network& network, const Work& work, int64_t batch, double words);

// The bytes that a recorded pass keeps for its gradients, at least.
double kept_bytes(const Network& network, int64_t batch);

}  // namespace gannet
