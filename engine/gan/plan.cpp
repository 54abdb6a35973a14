#include "engine/gan/plan.h"

#include <algorithm>

#include "base/format.h"

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

std::string text_of(real value) { return formatted("%g", double(value)); }

std::string loss_text(const Update& u) {
    if (u.losses.loss->joint) return std::string("loss: ") + u.losses.loss->name + ", of real and fake scores together";
    const bool of_generator = u.net == Net::generator;
    const LossForm &form = of_generator ? u.losses.on_generated : u.losses.on_real, &fake = u.losses.on_fake;
    std::string text = std::string("loss: ") + u.losses.loss->name + (form.kind == LossKind::linear ? ", factor" : ", target") +
                       (of_generator ? " " : "s ") + text_of(form.target) +
                       (of_generator ? "" : " (real) and " + text_of(fake.target) + " (fake)");
    if (form.epsilon > 0) text += ", epsilon " + text_of(form.epsilon);
    if (form.weight != 1) text += ", weight " + text_of(form.weight) + (of_generator ? "" : " each");
    return text;
}

std::string penalty_text(const Penalty& p) {
    static constexpr const char* norms[] = {"sample", "pixel", "batch"};
    return "penalty at points between real and fake images: weight " + text_of(p.weight) + ", norm per " + norms[int(p.norm)] +
           ", target " + text_of(p.target);
}

// `count` updates that differ only in their number and their images.
std::string lines_of(const Update& u, int64_t size, int64_t count) {
    std::string text = "  " + std::string(u.net == Net::generator ? "generator" : "discriminator") +
                       (count == 1 ? ", update " : ", updates ") + range_text(u.index, count) + "\n";
    const auto add = [&](const std::string& line) { text += "    " + line + "\n"; };
    const auto clip = [&](bool before, const std::string& when) {
        if (u.clip && u.clip->before == before)
            add(when + "clip the weights to [" + text_of(-u.clip->limit) + ", " + text_of(u.clip->limit) + "]");
    };
    clip(true, "first ");
    for (const Batch& b : u.batches)
        add(batch_text(u, b, size) + (b.images < 0 ? "" : "; real images " + range_text(b.images, size)) +
            (b.images < 0 || count == 1
                 ? ""
                 : "; each later update takes the next " + std::to_string(int64_t(u.batches.size()) * size)));
    add(loss_text(u));
    if (u.penalty) add(penalty_text(*u.penalty));
    if (u.batches.size() > 1) add("weight of each batch's gradients: " + text_of(u.batch_weight));
    clip(false, "then ");
    return text;
}

}  // namespace

uint32_t Update::key() const { return (net == Net::generator ? generator_update_number : 0) + uint32_t(index); }

std::string Update::name() const { return (net == Net::generator ? "g" : "d") + std::to_string(index); }

std::string Update::prefix(const Batch& batch) const {
    const auto number = &batch - batches.data();
    return name() + "." + (number ? "b" + std::to_string(number) + "." : "");
}

const Update& Plan::first_of(Net net) const {
    return *std::find_if(updates.begin(), updates.end(), [&](const Update& u) { return u.net == net; });
}

Work Plan::work(Net net) const {
    Work w;
    for (const Update& update : updates) {
        const bool mine = update.net == net, of_g = update.net == Net::generator;
        if (mine) w.updates += 1, w.added -= 1;  // the first term is written
        for (const Batch& b : update.batches) {
            if (net == Net::generator) w.forward += b.reuse < 0;
            else if (of_g) w.forward += b.images < 0 ? 1 : 2, w.to_input += 1;  // gradients go through it to the generator
            else w.forward += b.scores == Scores::shared ? 1 : 2;
            if (net == Net::discriminator) w.images += b.images >= 0;
            if (!mine) continue;
            const bool joined = !of_g && b.scores == Scores::joined;
            w.joined += joined;
            w.penalties += bool(update.penalty);
            w.to_weights += of_g ? 1 : 2;
            w.added += (of_g || joined || b.scores == Scores::together ? 1 : 2) + int(bool(update.penalty));
        }
    }
    return w;
}

double Plan::kept_bytes(const Network& generator, const Network& discriminator) const {
    const double of_g = gannet::kept_bytes(generator, batch), of_d = gannet::kept_bytes(discriminator, batch);
    double most = of_g + of_d;
    for (const Update& update : updates)
        for (const Batch& b : update.batches)  // separate scores are freed one by one; a penalty keeps its gradients, too
            if (update.net == Net::discriminator)
                most = std::max(most, (update.penalty || b.scores != Scores::separate ? 2 : 1) * of_d);
    return most;
}

std::string Plan::str() const {
    std::string text = std::to_string(images) + " real images\n";
    for (auto first = updates.begin(), end = first; first != updates.end(); first = end) {
        Update next = *first;
        do {
            ++end, ++next.index;
            for (Batch& b : next.batches)
                if (b.images >= 0) b.images += int64_t(next.batches.size()) * batch;
        } while (end != updates.end() && lines_of(*end, batch, 1) == lines_of(next, batch, 1));
        text += lines_of(*first, batch, end - first);
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
    const bool separable = !o.loss->joint;
    // If weights are clipped before D's update, the scores recorded during G's update would be stale.
    const bool share = traits.share_scores && separable && o.reuse_fakes && o.generator_first && !(o.clip && o.clip->before);
    Plan plan;
    plan.batch = batch;
    const auto add = [&](Net net, int count, int batches) {
        const bool is_discriminator = net == Net::discriminator, first = is_discriminator != o.generator_first;
        for (int i = 0; i < count; ++i) {
            Update update{.net = net, .index = i, .batch_weight = o.batch_weight(batches), .losses = o};
            if (is_discriminator) update.penalty = o.penalty, update.clip = o.clip;
            for (int m = 0; m < batches; ++m) {
                Batch b{.first_sample = m * batch};
                if (is_discriminator) b.images = plan.images, plan.images += batch;
                else if (!separable) b.images = m * batch % (critic_steps * o.discriminator_batches * batch);
                if (o.reuse_fakes && !first && i == 0) b.reuse = m;
                b.keep = o.reuse_fakes && first && (i == count - 1 || o.reuse_all());
                if (!separable) b.scores = Scores::together;
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

std::vector<Plan> make_plans(const config::GanConfig& config, const Network& generator, const Network& discriminator) {
    const Objective& o = config.objective;
    const PlanTraits traits = plan_traits(config, generator, discriminator);
    std::vector<Plan> plans = {make_plan(o, traits, config.batch, o.critic_steps)};
    if (o.warm_up && o.warm_up->critic_steps != o.critic_steps)
        plans.push_back(make_plan(o, traits, config.batch, o.warm_up->critic_steps));
    return plans;
}

int plan_at(const Objective& objective, int64_t step) {
    return objective.critic_steps_at(step) == objective.critic_steps ? 0 : 1;
}

int64_t images_before(const Objective& objective, int64_t batch, int64_t step) {
    return objective.critic_steps_before(step) * objective.discriminator_batches * batch;
}

std::string plans_text(const config::GanConfig& config, const Network& generator, const Network& discriminator) {
    const std::vector<Plan> plans = make_plans(config, generator, discriminator);
    std::string text = (plans.size() == 1 ? "every step: " : "a usual step: ") + plans[0].str();
    if (plans.size() == 1) return text;
    const Objective::WarmUp& w = *config.objective.warm_up;
    return text + "steps before number " + std::to_string(w.steps) +
           (w.every > 0 ? " and every step whose number is a multiple of " + std::to_string(w.every) : "") + ": " +
           plans[1].str();
}

}  // namespace gannet::gan
