// The section `objective`, read: which function of the scores each network minimises, and the schedule of a step.
#pragma once
#include <optional>
#include <span>

#include "engine/autograd/ops.h"
#include "engine/config/spec.h"
#include "engine/nn/module.h"

namespace gannet {

struct LossTerms;

// What the program asks about a loss. To add one: its value and derivative in kernels/math.h, its composition in
// engine/autograd/loss.cpp, its row in objective.cpp.
struct LossInfo {
    enum class Scores : uint8_t { probabilities, logits, unbounded, any };  // that the discriminator ends in
    enum class Neutral : uint8_t { none, zero, half, between_labels };      // the score of an image of which it knows nothing

    const char* name;  // in the model file
    const char* doc;
    LossKind kind;  // of the discriminator's scores
    Scores scores;
    Neutral neutral;
    bool labels = false;  // real_label and fake_label are its targets; without them these are:
    double on_real = 0, on_fake = 0;
    std::optional<LossForm> on_generated = {};  // the generator's; none: the discriminator's of real images
    bool cross_entropy = false;                 // it takes generator_loss, and its labels are probabilities
    bool takes_epsilon = false;                 // bce_epsilon
    bool always_sum = false;                    // the discriminator's is never the mean of its two parts
    bool needs_bound = false;                   // it runs away unless a penalty or clipping bounds the discriminator
    bool is_distance = false;                   // the mean score of real images minus that of fakes estimates a distance
    // The loss of a network from both scores. Null: the loss is separable, a sum of `kind` of real scores and of fake ones.
    Tensor (*joint)(const LossTerms&, Net, const Tensor& real_scores, const Tensor& fake_scores) = nullptr;
};
std::span<const LossInfo> losses();

// WGAN-GP's penalty, weight * mean (||d D(x) / dx|| - target)^2 (arXiv 1704.00028).
struct Penalty {
    enum class Norm { sample, channel, batch } norm = Norm::sample;
    real weight = 10, target = 1;
    // A gradient of n images as rows, of each of which the norm is taken: one per sample, one per pixel (of its channels), or
    // one.
    RowsShape rows(int64_t n, const SampleShape& image) const;
};

// Clamps the discriminator's weights to [-limit, limit], after each update or before it.
struct WeightClip {
    real limit = 0;
    bool before = false;
};

struct LossTerms {
    const LossInfo* loss = nullptr;
    LossForm on_real, on_fake;  // of D's loss, their sum; weights of 1/2 make it the mean
    LossForm on_generated;      // G's; a weight of -1 where it maximises what D minimises (saturating)
};

struct Objective : LossTerms {
    bool mean_of_parts = false, saturating = false;
    std::optional<double> neutral_score() const;
    // What the gradients of each of an update's batches are multiplied by.
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
    bool reuse_all() const;  // fakes of all updates of the network that comes first, not of its last one alone
    int discriminator_batches = 1, generator_batches = 1;  // accumulated per update
    bool mean_of_batches = false;
    std::optional<Penalty> penalty;
    std::optional<WeightClip> clip;
};

namespace config {

// Throws Error for keys that make no sense together. `written` is the section as it is in the file; `effective` receives it
// without the keys that do not belong to the loss.
Objective read_objective(const Object& keys, const Value& written, Value& effective);

}  // namespace config
}  // namespace gannet
