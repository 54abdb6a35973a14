// The arithmetic of a training step, and an estimate of the bytes that it moves.
#pragma once
#include <functional>

#include "engine/gan/trainer.h"

namespace gannet::bench {

// Multiplications and additions of the matrix products and convolutions that one step computes, counted by the direct algorithm:
// Winograd counts as the same work done faster. All of D's passes are counted at the size of the data's images, even if the
// generator's differ (allow_size_mismatch).
//
// forward:
// - G, for each batch of fakes that is drawn;
// - D, on the real and on the fake batch of each of its updates, and on the fake batch of each update of G; if D's first update
// uses
//   the scores of G's (share_scores), once for both.
// data_gradient:
// - in an update of D: all layers of D except the first, whose input needs no gradient;
// - in an update of G: all layers of D, and all of G except the first.
// weight_gradient:
// - in an update of D: D, for the real and for the fake batch;
// - in an update of G: G.
// penalty:
// - D forward on the points between real and fake, and its data gradients down to them;
// - the derivatives of these gradients with respect to the weights and, except in the last layer, to the gradients of the
// outputs;
// - the backward pass through the forward pass, from the last layer whose derivative depends on its input (tanh, sigmoid, gelu,
// silu,
//   the norms).
struct StepFlops {
    double forward = 0, data_gradient = 0, weight_gradient = 0, penalty = 0;
    double total() const { return forward + data_gradient + weight_gradient + penalty; }
};

// The number of batches that pass through the networks in a step.
struct Batches {
    double of_d = 0, of_g = 0;  // of the updates of each
    double generated = 0;       // through G
    double scored = 0;          // through D, but for the penalty's
    double joined = 0;          // of D's, with real and fake images in one pass
    double penalised = 0;
};
Batches batches_of(const gan::Plan& plan);

// The same sums for any cost of a layer with weights per pass; `cost` gives it for a batch.
StepFlops step_passes(GanTrainer& trainer, const std::function<double(const Module&)>& cost);

StepFlops step_flops(GanTrainer& trainer);

// Bytes of one step, by family, from the modules' descriptions and the fusion plans: every array that a kernel reads or writes
// counts once per kernel, as if no cache kept data between kernels. Fused layers: an activation costs nothing forward unless it
// needs its input (GELU, SiLU), a batch norm gets its moments from the layer before. Not counted: the sums of the generator's
// gradients with `accumulate.generator`. For rooflines.
struct StepBytes {
    double products = 0;     // matrix products and convolutions: both operands and the result, in each pass of StepFlops; where
                             // real and fake images are one batch, the discriminator's weights count once for both
    double norms = 0;        // forward x -> y, backward x, y, dy -> dx
    double activations = 0;  // backward y, dy -> dx, if no norm does it
    double others = 0;       // upsample, dropout, transposes ...: in -> out and back
    double optimizers = 0;   // parameters, gradients and moments; clipping
    double data = 0;         // real images, interpolation, the penalty's norms
    double total() const { return products + norms + activations + others + optimizers + data; }
};

StepBytes step_bytes(GanTrainer& trainer);

}  // namespace gannet::bench
