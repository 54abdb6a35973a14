// One training step as data: the updates in order and the source of each batch. Made once from the objective and the networks'
// traits. gan::Step executes it, `summary --plan` prints it, and each plan has its CUDA graph.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/model.h"
#include "engine/nn/cost.h"

namespace gannet::gan {

// How an update of the discriminator scores a batch of real and a batch of fake images. For the generator's batches only `shared`
// (the scores are kept) and `together` have a meaning.
enum class Scores {
    separate,  // in two passes; the first one's tape is freed before the second
    joined,    // in one pass of both as one batch
    shared,    // the fakes' scores come from the generator's update that made them, with their tape
    together,  // in two passes; the loss takes both scores together
};

struct Batch {
    // Offset of its real images among those of the step; -1: none.
    int64_t images = -1;
    // Number of its first sample within the update: part of the key of its random draws.
    int64_t first_sample = 0;
    // Number of the batch of kept fakes that it reuses, in the order of keeping; -1: it draws fresh ones.
    int reuse = -1;
    // Its fakes are kept for the other network.
    bool keep = false;
    Scores scores = Scores::separate;
};

// One update of one network: adds the gradients of its batches' losses.
struct Update {
    Net net = Net::discriminator;
    int index = 0;  // among the network's updates in the step
    std::vector<Batch> batches = {};
    real batch_weight = 1;  // the gradients of each batch are multiplied by it
    LossTerms losses = {};
    std::optional<Penalty> penalty = {};  // of each batch, at points between its real and fake images
    std::optional<WeightClip> clip = {};

    uint32_t key() const;                          // of its random draws
    std::string name() const;                      // "d0", "g1": as in traces
    std::string prefix(const Batch& batch) const;  // of names in traces: "d0.", "d0.b1." for the second batch
};

struct Plan {
    int64_t batch = 0;  // samples in a batch
    std::vector<Update> updates;
    int64_t images = 0;  // real images that it takes

    const Update& first_of(Net net) const;
    Work work(Net net) const;  // what it does with a network
    // The least memory that its largest update takes for what gradients need.
    double kept_bytes(const Network& generator, const Network& discriminator) const;
    std::string str() const;  // lines for users; updates that differ only in their number are one entry
};

// The properties of the networks and of the model's keys that the plan depends on.
struct PlanTraits {
    bool share_scores = false;  // the discriminator's update may use the generator's scores of reused fakes
    bool join_batches = false;  // real and fake images may pass through the discriminator as one batch
};
PlanTraits plan_traits(const config::GanConfig& config, const Network& generator, const Network& discriminator);

// The plan of a step with this many updates of the discriminator.
Plan make_plan(const Objective& objective, const PlanTraits& traits, int64_t batch, int critic_steps);
// All plans of a training: the usual one, then that of a warm-up if it differs.
std::vector<Plan> make_plans(const config::GanConfig& config, const Network& generator, const Network& discriminator);
// The plan of step number `step`.
int plan_at(const Objective& objective, int64_t step);
// The number of real images used by all steps before number `step`.
int64_t images_before(const Objective& objective, int64_t batch, int64_t step);

// The plans of a model, as `summary --plan` prints them.
std::string plans_text(const config::GanConfig& config, const Network& generator, const Network& discriminator);

}  // namespace gannet::gan
