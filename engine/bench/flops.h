// How much arithmetic a training step asks for.
#pragma once
#include <cstdint>
#include <functional>

#include "engine/gan/objective.h"
#include "engine/network/network.h"

namespace gannet::bench {

// Multiplications and additions of the matrix products and convolutions of one step, by the direct algorithm, for the schedule as
// it is written. What is shared, skipped or computed by fewer multiplications is faster, not less.
//
//   forward           G for each batch of fakes that is drawn; D on the real and on the fake batch of each of its updates, and on
//                     the fake one of each of G's
//   data_gradient     in D's updates of all layers of D but the first, whose input nobody asks about; in G's of all layers of D
//                     and of all of G but the first
//   weight_gradient   in D's updates of D, twice (real, fake), in G's of G alone
//   penalty           D forward on the points between and its data gradient down to them; that gradient's own derivatives, by the
//                     weights and, but for the last layer's, by the gradients that came in; and through layers whose slope itself
//                     has one (tanh, sigmoid, the norms) back into the forward pass
struct StepFlops {
    double forward = 0, data_gradient = 0, weight_gradient = 0, penalty = 0;
    double total() const { return forward + data_gradient + weight_gradient + penalty; }
};

// The same sums of anything that a layer with weights costs in each of its passes, as `cost` tells for a batch.
StepFlops step_passes(const Network& generator, const Network& discriminator, const Objective& objective,
                      const std::function<double(const Layer&)>& cost);

StepFlops step_flops(const Network& generator, const Network& discriminator, const Objective& objective, int64_t batch);

}  // namespace gannet::bench
