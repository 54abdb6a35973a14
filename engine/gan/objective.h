// The objective of a GAN as data: which function of the scores each network minimises.
#pragma once
#include <optional>
#include <string>

#include "engine/model/model.h"
#include "engine/nn/network.h"

namespace gannet {

// WGAN-GP's penalty, weight * mean (||d D(x) / dx|| - target)^2 (arXiv 1704.00028).
struct Penalty {
    enum class Norm { sample, channel, batch } norm = Norm::sample;
    real weight = 10, target = 1;
    // The number of norms for a gradient of n images: one per sample, one per pixel (over its channels), or one in total.
    RowsShape rows(int64_t n, const SampleShape& image) const;
};

struct Objective {
    explicit Objective(const config::Object& config);

    std::string loss;           // "bce", ...
    LossForm on_real, on_fake;  // of D's loss, their sum; weights of 1/2 make it the mean
    bool separable =
        true;  // D's loss is a sum of one term of real and one of fake scores, and G's loss depends only on fake ones
    LossForm on_generated;  // G's loss; weight -1 if it maximises what D minimises (saturating)

    // Losses of both scores together, for losses that are not separable.
    Tensor discriminator(const Tensor& real_scores, const Tensor& fake_scores) const;
    Tensor generator(const Tensor& fake_scores, const Tensor& real_scores) const;
    // The factor of the gradients of each of an update's batches.
    real batch_weight(int batches) const { return mean_of_batches ? real(1) / real(batches) : real(1); }

    // Updates of D in step number `step`, and in all steps before it.
    int critic_steps_at(int64_t step) const;
    int64_t critic_steps_before(int64_t step) const;

    int critic_steps = 1, generator_steps = 1;
    struct WarmUp {
        int critic_steps = 0;
        int64_t steps = 0, every = 0;
    };
    std::optional<WarmUp> warm_up;
    bool generator_first = false, reuse_fakes = false;
    bool reuse_all = false;  // reuse the fakes of all updates of the first network, not only of its last one
    int discriminator_batches = 1, generator_batches = 1;  // accumulated per update
    bool mean_of_batches = true;
    std::optional<Penalty> penalty;
    real weight_clip = 0;  // 0: none
    bool clip_before = false;
};

}  // namespace gannet
