// A lower bound of the bytes that a training step moves.
#pragma once
#include <cstdint>

#include "engine/bench/flops.h"
#include "engine/gan/trainer.h"

namespace gannet::bench {

// Bytes of one step, by family, from the modules' descriptions and the fusion plans: every array that a kernel reads or writes
// counts once per kernel, as if no cache kept data between kernels. Fused layers: an activation costs nothing forward, a batch
// norm gets its moments from the layer before. Accurate to some tens of per cent; for rooflines.
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
