// Diagnostics of a training, for the log and its plots: statistics of parameters, gradients and layer outputs, the samples
// compared with the data, and the discriminator's scores of both. They change nothing: every number of the training is the same
// with and without.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "engine/gan/trainer.h"

namespace gannet {

// Mean and standard deviation of the values; the root mean square distance between two of the images (unbiased), which is zero
// for a generator of a single image; and the median distance of an image to the nearest other one, which is zero for a generator
// of a few images. Both are NaN for a single image.
struct Spread {
    double mean = 0, deviation = 0, distance = NAN, nearest = NAN;
};
// `count` consecutive images with the same number of values.
Spread spread_of(const std::vector<real>& images, int64_t count, ThreadPool& threads);

struct Observation {
    Spread samples;  // of the sample grid's first latent points
    Spread data;
    double score_real = NAN, score_fake = NAN;        // the discriminator's mean scores
    double accuracy_real = NAN, accuracy_fake = NAN;  // share of correctly classified images; NaN: no neutral score
    bool is_distance = false;                         // score_real - score_fake estimates a distance
    double penalty_norm = NAN;                        // mean gradient norm under the penalty
    double penalty_target = NAN;                      // that of the configuration
    json::Members networks;                           // by network: weights, gradients, activations

    // As in the log: {"samples": ..., "data": ..., "generator": {"weights": {"0.weight": {...}}}, ...}
    json::Members line() const;
};

// Observes the state after a step; the gradients are those of its last updates.
Observation observe(GanTrainer& trainer);

// The first layer, generator first, whose parameters or output are not finite, and which of them: "generator.3 batch_norm: its
// output". Empty if all are finite.
std::string first_not_finite(GanTrainer& trainer);

}  // namespace gannet
