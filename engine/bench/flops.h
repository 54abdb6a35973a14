// The arithmetic of a training step.
#pragma once
#include <functional>

#include "engine/gan/trainer.h"

namespace gannet::bench {

// Multiplications and additions of the matrix products and convolutions that one step computes, counted by the direct algorithm:
// Winograd counts as the same work done faster. All of D's passes are counted at the size of the data's images, even if the
// generator's differ (allow_size_mismatch).
//
//   forward           G for each batch of fakes that is drawn; D on the real and on the fake batch of each of its updates, and on
//                     the fake one of each of G's; where D's first update takes the scores of G's (share_scores), once for both
//   data_gradient     in D's updates of all layers of D but the first, whose input needs no gradient; in G's of all layers of D
//                     and of all of G but the first
//   weight_gradient   in D's updates of D, twice (real, fake), in G's of G alone
//   penalty           D forward on the points between and its data gradient down to them; that gradient's own derivatives, by the
//                     weights and, but for the last layer's, by the gradients that came in; and through layers whose slope itself
//                     has one (tanh, sigmoid, the norms) back into the forward pass
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

}  // namespace gannet::bench
