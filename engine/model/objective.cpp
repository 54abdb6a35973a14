#include "engine/model/objective.h"

#include <algorithm>

#include "base/error.h"

namespace gannet {

using Scores = LossInfo::Scores;
using Neutral = LossInfo::Neutral;

std::span<const LossInfo> losses() {
    static constexpr LossInfo rows[] = {
        {.name = "bce",
         .doc = "cross-entropy of probabilities, the discriminator ends in `sigmoid`",
         .kind = LossKind::bce,
         .scores = Scores::probabilities,
         .neutral = Neutral::half,
         .labels = true,
         .cross_entropy = true,
         .takes_epsilon = true},
        {.name = "bce_with_logits",
         .doc = "cross-entropy of logits",
         .kind = LossKind::bce_with_logits,
         .scores = Scores::logits,
         .neutral = Neutral::zero,
         .labels = true,
         .cross_entropy = true},
        {.name = "wasserstein",
         .doc = "difference of the mean scores (arXiv 1701.07875)",
         .kind = LossKind::linear,
         .scores = Scores::unbounded,
         .neutral = Neutral::none,
         .on_real = -1,
         .on_fake = 1,
         .always_sum = true,
         .needs_bound = true,
         .is_distance = true},
        {.name = "hinge",
         .doc = "hinge loss of scores, with a margin of 1 (arXiv 1705.02894)",
         .kind = LossKind::hinge,
         .scores = Scores::unbounded,
         .neutral = Neutral::zero,
         .on_real = 1,
         .on_fake = -1,
         .on_generated = LossForm{LossKind::linear, -1, 0}},
        {.name = "least_squares",
         .doc = "squared distance of scores from labels (arXiv 1611.04076)",
         .kind = LossKind::least_squares,
         .scores = Scores::any,
         .neutral = Neutral::between_labels,
         .labels = true},
    };
    return rows;
}

RowsShape Penalty::rows(int64_t n, const SampleShape& image) const {
    switch (norm) {
        case Norm::sample: return {n, image.size()};
        case Norm::channel: return {n * image.H * image.W, image.C};
        case Norm::batch: return {1, n * image.size()};
    }
    return {};
}

std::optional<double> Objective::neutral_score() const {
    switch (loss->neutral) {
        case Neutral::none: return {};
        case Neutral::zero: return 0;
        case Neutral::half: return 0.5;
        case Neutral::between_labels: return (double(on_real.target) + double(on_fake.target)) / 2;
    }
    return {};
}

bool Objective::reuse_all() const {
    return generator_first ? discriminator_batches == generator_batches * generator_steps
                           : generator_batches == discriminator_batches * critic_steps;
}

int Objective::critic_steps_at(int64_t step) const { return int(critic_steps_before(step + 1) - critic_steps_before(step)); }

int64_t Objective::critic_steps_before(int64_t step) const {
    if (!warm_up) return step * critic_steps;
    int64_t warm = std::min(step, warm_up->steps);
    const auto multiples_below = [&](int64_t n) { return n > 0 ? (n - 1) / warm_up->every + 1 : 0; };
    if (warm_up->every > 0 && step > warm_up->steps) warm += multiples_below(step) - multiples_below(warm_up->steps);
    return step * critic_steps + warm * (warm_up->critic_steps - critic_steps);
}

namespace config {
namespace {

// Keys that belong to some losses only.
constexpr std::pair<const char*, bool LossInfo::*> keys_of_losses[] = {{"generator_loss", &LossInfo::cross_entropy},
                                                                       {"bce_epsilon", &LossInfo::takes_epsilon},
                                                                       {"real_label", &LossInfo::labels},
                                                                       {"fake_label", &LossInfo::labels}};

void check_loss(const LossInfo& loss, const Object& keys, const Value& written) {
    const std::string name = loss.name;
    for (const auto& [key, belongs] : keys_of_losses) {
        if (loss.*belongs || !given(written, key)) continue;
        std::vector<std::string> owners;
        for (const LossInfo& other : losses())
            if (other.*belongs) owners.push_back(other.name);
        throw Error("'" + std::string(key) + "' has no effect with the loss '" + name + "'", keys.where(key),
                    "remove it; it belongs to " + join(owners, " and "));
    }
    if (loss.always_sum && keys.text("discriminator_loss") != "sum")
        throw Error("'discriminator_loss' is always the sum with the loss '" + name + "'", keys.where("discriminator_loss"),
                    "remove it");
    if (loss.joint && given(written, "discriminator_loss"))
        throw Error("'discriminator_loss' has no effect with the loss '" + name + "', which is not a sum of two parts",
                    keys.where("discriminator_loss"), "remove it");
    if (!loss.labels) return;
    for (const char* label : {"real_label", "fake_label"})
        if (const double value = keys.number(label); loss.cross_entropy && (value < 0 || value > 1))
            throw Error("'" + std::string(label) + "' is not a probability", keys.where(label),
                        "with the loss '" + name + "' it must be at least 0 and at most 1");
    if (keys.number("real_label") == keys.number("fake_label"))
        throw Error("'real_label' and 'fake_label' are the same", keys.where("real_label"),
                    "the discriminator would have nothing to distinguish");
}

void check_schedule(const Objective& o, const Object& keys, const Value& written) {
    if (given(written, "clip_when") && !keys.has("weight_clip"))
        throw Error("'clip_when' has no effect without 'weight_clip'", keys.where("clip_when"),
                    "remove it, or give 'weight_clip'");
    if (o.warm_up && o.reuse_fakes)
        throw Error("'critic_warm_up' cannot be combined with 'fakes': \"reuse\"", keys.where("critic_warm_up"), "use \"fresh\"");
    if (o.reuse_fakes && !o.reuse_all() && o.discriminator_batches != o.generator_batches)
        throw Error("'fakes' cannot be \"reuse\" where the networks accumulate different numbers of batches", keys.where("fakes"),
                    "use \"fresh\", or give both networks the same number of batches in 'accumulate', or give the network that "
                    "is updated "
                    "second as many as the first one uses in all its updates");
}

}  // namespace

Objective read_objective(const Object& read, const Value& written, Value& effective) {
    Objective o;
    Object keys = read;
    const auto named = [&](const LossInfo& row) { return keys.text("loss") == row.name; };
    const LossInfo& loss = *std::find_if(losses().begin(), losses().end(), named);
    if (loss.always_sum && !given(written, "discriminator_loss"))
        keys.value("discriminator_loss").data = "sum";  // the only default that depends on another key
    check_loss(loss, keys, written);
    o.loss = &loss;
    o.saturating = keys.text("generator_loss") == "saturating";
    o.mean_of_parts = keys.text("discriminator_loss") == "mean";
    const real epsilon = real(keys.number("bce_epsilon"));
    o.on_real = {loss.kind, real(loss.labels ? keys.number("real_label") : loss.on_real), epsilon};
    o.on_fake = {loss.kind, real(loss.labels ? keys.number("fake_label") : loss.on_fake), epsilon};
    o.on_generated = o.saturating ? o.on_fake : loss.on_generated.value_or(o.on_real);
    if (o.saturating) o.on_generated.weight = -1;
    if (o.mean_of_parts) o.on_real.weight = o.on_fake.weight = real(0.5);

    o.critic_steps = int(keys.integer("critic_steps"));
    o.generator_steps = int(keys.integer("generator_steps"));
    o.generator_first = keys.text("update_order") == "generator_first";
    o.reuse_fakes = keys.text("fakes") == "reuse";
    const Object accumulate = keys.object("accumulate");
    o.discriminator_batches = int(accumulate.integer("discriminator"));
    o.generator_batches = int(accumulate.integer("generator"));
    o.mean_of_batches = accumulate.text("reduction") == "mean";
    if (keys.has("critic_warm_up")) {
        const Object w = keys.object("critic_warm_up");
        o.warm_up = Objective::WarmUp{int(w.integer("critic_steps")), w.integer("steps"), w.integer("every")};
    }
    if (keys.has("weight_clip")) o.clip = {real(keys.number("weight_clip")), keys.text("clip_when") == "before"};
    if (keys.has("gradient_penalty")) {
        const Object p = keys.object("gradient_penalty");
        const std::string& norm = p.text("norm");
        o.penalty = Penalty{norm == "sample"    ? Penalty::Norm::sample
                            : norm == "channel" ? Penalty::Norm::channel
                                                : Penalty::Norm::batch,
                            real(p.number("weight")), real(p.number("target"))};
    }
    check_schedule(o, keys, written);

    effective = keys.all();
    for (const auto& [key, belongs] : keys_of_losses)
        if (!(loss.*belongs)) effective.at(key) = Value();
    if (!keys.has("weight_clip")) effective.at("clip_when") = Value();
    return o;
}

}  // namespace config
}  // namespace gannet
