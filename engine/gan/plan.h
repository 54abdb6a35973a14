// What one step of training does, as data: the updates in their order and where each batch comes from. Made once from the
// objective and the networks' traits; gan::Step executes it, `summary --plan` prints it, a CUDA graph belongs to it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/model.h"
#include "engine/nn/network.h"

namespace gannet::gan {

// How an update of the discriminator scores a batch of real and a batch of fake images. Of the generator's batches only `shared`,
// whose scores are kept, and `together` mean something.
enum class Scores {
    separate,  // in two passes; the first one's tape is freed before the second
    joined,    // in one pass of both as one batch
    shared,    // the fakes' scores are those of the generator's update that made them, with their tape
    together,  // in two passes, whose scores the loss takes at once
};

struct Batch {
    // Offset of its real images in those of the step; -1: it takes none.
    int64_t images = -1;
    // Number of its first sample within the update: part of the key of its random draws.
    int64_t first_sample = 0;
    // Which batch of kept fakes it reuses, in the order in which they were kept; -1: it draws fresh ones.
    int reuse = -1;
    // Its fakes are kept for the other network.
    bool keep = false;
    Scores scores = Scores::separate;
};

// One update of one network; the gradients of its batches are added.
struct Update {
    Net net = Net::discriminator;
    int index = 0;  // among the network's updates in the step
    std::vector<Batch> batches;
    bool clip_before = false;        // the optimizer clips the weights first
    std::optional<Penalty> penalty;  // of each batch, at points between its real and fake images

    uint32_t key() const;      // of its random draws
    std::string name() const;  // "d0", "g1": as in traces
};

struct Plan {
    int64_t batch = 0;  // samples in a batch
    std::vector<Update> updates;
    int64_t images = 0;  // real images that it takes

    bool has(Scores scores) const;  // whether a batch is scored this way
    std::string str() const;        // lines for people; updates that differ only in their number are one entry
};

// What the plan asks of the networks and the model's keys.
struct PlanTraits {
    bool share_scores = false;  // the generator's scores of reused fakes may serve the discriminator's update
    bool join_batches = false;  // real and fake images may pass through the discriminator as one batch
};
PlanTraits plan_traits(const config::GanConfig& config, const Network& generator, const Network& discriminator);

// The plan of a step with this many updates of the discriminator.
Plan make_plan(const Objective& objective, const PlanTraits& traits, int64_t batch, int critic_steps);
// All plans of a training: the usual one, then that of a warm-up if it differs.
std::vector<Plan> make_plans(const Objective& objective, const PlanTraits& traits, int64_t batch);
// Which of them step number `step` follows.
int plan_at(const Objective& objective, int64_t step);
// Real images that all steps before number `step` take.
int64_t images_before(const Objective& objective, int64_t batch, int64_t step);

// The plans of a model, as `summary --plan` prints them.
std::string plans_text(const config::GanConfig& config, const Network& generator, const Network& discriminator);

}  // namespace gannet::gan
