// Diagnostics of a training, for the log and its plots: statistics of parameters, gradients and layer outputs, the samples
// compared with the data, and the discriminator's scores of both. They change nothing: every number of the training is the same
// with and without.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "engine/gan/trainer.h"

namespace gannet {

// Mean and standard deviation of the values; the root mean square distance between two of the images (biased to no side by
// their number), which a generator that makes one image only has none of; and the median distance of an image to the nearest
// other one, which a generator of a few images has none of. Both are NaN of a single image, which has no other.
struct Spread {
    double mean = 0, deviation = 0, distance = NAN, nearest = NAN;
};
// `count` images in a row, of as many values each.
Spread spread_of(const std::vector<real>& images, int64_t count, ThreadPool& threads);

struct Observation {
    Spread samples;  // of the sample grid's first latent points
    Spread data;
    double score_real = NAN, score_fake = NAN;        // the discriminator's mean scores
    double accuracy_real = NAN, accuracy_fake = NAN;  // share on the right side of the middle; NaN with `wasserstein`
    double penalty_norm = NAN;                        // mean norm that the gradient penalty holds near its target
    double penalty_target = NAN;                      // that of the configuration
    json::Members networks;                           // by network: weights, gradients, activations

    // As the log has it: {"samples": ..., "data": ..., "generator": {"weights": {"0.weight": {...}}}, ...}
    json::Members line() const;
};

// Of the state after a step; the gradients are those of its last updates.
Observation observe(GanTrainer& trainer);

// The first layer, generator first, whose parameters or output are not finite, and which of them: "generator.3 batch_norm: its
// output". Empty if all are finite.
std::string first_not_finite(GanTrainer& trainer);

}  // namespace gannet
