#include "engine/gan/plan.h"

#include <algorithm>

namespace gannet::gan {
namespace {

std::string range_text(int64_t first, int64_t count) {
    return count == 1 ? std::to_string(first) : std::to_string(first) + " to " + std::to_string(first + count - 1);
}

std::string batch_text(const Update& update, const Batch& b, int64_t size) {
    std::string text = b.reuse < 0 ? "fresh fakes" : "kept fakes, batch " + std::to_string(b.reuse);
    if (b.keep) text += ", kept for a later update";
    if (update.net == Net::discriminator) {
        static constexpr const char* words[] = {"real and fake images in two passes", "real and fake images in one pass",
                                                "real images in one pass; the fakes' scores are those of the generator's update",
                                                "real and fake images in two passes, one loss of both"};
        text += std::string("; ") + words[int(b.scores)];
    } else if (b.images >= 0) {
        text += "; with the scores of real images";
    }
    return "samples " + range_text(b.first_sample, size) + ": " + text;
}

// Whether the second update is the same as the first, with the next number and the next images.
bool repeats(const Update& a, const Update& b, int64_t distance, int64_t images) {
    if (a.net != b.net || b.index != a.index + distance || a.clip_before != b.clip_before || a.batches.size() != b.batches.size())
        return false;
    return std::equal(a.batches.begin(), a.batches.end(), b.batches.begin(), [&](const Batch& x, const Batch& y) {
        return x.first_sample == y.first_sample && x.reuse == y.reuse && x.keep == y.keep && x.scores == y.scores &&
               y.images == (x.images < 0 ? x.images : x.images + distance * images);
    });
}

}  // namespace

uint32_t Update::key() const { return (net == Net::generator ? generator_update_number : 0) + uint32_t(index); }

std::string Update::name() const { return (net == Net::generator ? "g" : "d") + std::to_string(index); }

std::string Plan::str() const {
    std::string text = std::to_string(images) + " real images\n";
    for (auto first = updates.begin(); first != updates.end();) {
        const auto per_update = int64_t(first->batches.size()) * batch;
        auto end = first + 1;
        while (end != updates.end() && repeats(*first, *end, end - first, per_update)) ++end;
        const int64_t count = end - first;
        text += "  " + std::string(first->net == Net::generator ? "generator" : "discriminator") +
                (count == 1 ? ", update " : ", updates ") + range_text(first->index, count) + "\n";
        if (first->clip_before) text += "    clip the weights\n";
        for (const Batch& b : first->batches) {
            text += "    " + batch_text(*first, b, batch);
            if (b.images >= 0)
                text += "; real images " + range_text(b.images, batch) +
                        (count > 1 ? ", then " + std::to_string(per_update) + " further in each update" : "");
            text += "\n";
        }
        if (first->penalty)
            text += "    penalty at points between real and fake images, weight " +
                    config::number_text(double(first->penalty->weight)) + "\n";
        first = end;
    }
    return text;
}

PlanTraits plan_traits(const config::GanConfig& config, const Network& generator, const Network& discriminator) {
    const Traits traits = discriminator.traits();
    return {.share_scores = config.share_scores && !traits.stochastic,
            .join_batches =
                config.join_batches && !traits.stochastic && !traits.couples_samples && generator.out() == discriminator.in()};
}

Plan make_plan(const Objective& o, const PlanTraits& traits, int64_t batch, int critic_steps) {
    const bool clips_first = o.weight_clip > 0 && o.clip_before;
    // If weights are clipped before D's update, the scores recorded during G's update would be stale.
    const bool share = traits.share_scores && o.loss->separable && o.reuse_fakes && o.generator_first && !clips_first;
    Plan plan;
    plan.batch = batch;
    const auto add = [&](Net net, int count, int batches) {
        const bool is_discriminator = net == Net::discriminator, first = is_discriminator != o.generator_first;
        for (int i = 0; i < count; ++i) {
            Update update{.net = net, .index = i, .batches = {}, .clip_before = is_discriminator && clips_first, .penalty = {}};
            if (is_discriminator) update.penalty = o.penalty;
            for (int m = 0; m < batches; ++m) {
                Batch b{.first_sample = m * batch};
                if (is_discriminator) b.images = plan.images, plan.images += batch;
                else if (!o.loss->separable) b.images = m * batch % (critic_steps * o.discriminator_batches * batch);
                if (o.reuse_fakes && !first && i == 0) b.reuse = m;
                b.keep = o.reuse_fakes && first && (i == count - 1 || o.reuse_all());
                if (!o.loss->separable) b.scores = Scores::together;
                else if (share && (b.keep || b.reuse >= 0)) b.scores = Scores::shared;
                else if (is_discriminator && traits.join_batches) b.scores = Scores::joined;
                update.batches.push_back(b);
            }
            plan.updates.push_back(std::move(update));
        }
    };
    if (o.generator_first) add(Net::generator, o.generator_steps, o.generator_batches);
    add(Net::discriminator, critic_steps, o.discriminator_batches);
    if (!o.generator_first) add(Net::generator, o.generator_steps, o.generator_batches);
    return plan;
}

std::vector<Plan> make_plans(const Objective& o, const PlanTraits& traits, int64_t batch) {
    std::vector<Plan> plans = {make_plan(o, traits, batch, o.critic_steps)};
    if (o.warm_up && o.warm_up->critic_steps != o.critic_steps)
        plans.push_back(make_plan(o, traits, batch, o.warm_up->critic_steps));
    return plans;
}

int plan_at(const Objective& objective, int64_t step) {
    return objective.critic_steps_at(step) == objective.critic_steps ? 0 : 1;
}

int64_t images_before(const Objective& objective, int64_t batch, int64_t step) {
    return objective.critic_steps_before(step) * objective.discriminator_batches * batch;
}

std::string plans_text(const config::GanConfig& config, const Network& generator, const Network& discriminator) {
    const Objective& o = config.objective;
    const std::vector<Plan> plans = make_plans(o, plan_traits(config, generator, discriminator), config.batch);
    std::string text = (plans.size() == 1 ? "every step: " : "a usual step: ") + plans[0].str();
    if (plans.size() == 1) return text;
    const Objective::WarmUp& w = *o.warm_up;
    return text + "steps before number " + std::to_string(w.steps) +
           (w.every > 0 ? " and every step whose number is a multiple of " + std::to_string(w.every) : "") + ": " +
           plans[1].str();
}

}  // namespace gannet::gan
