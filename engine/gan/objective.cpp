#include "engine/gan/objective.h"

#include <algorithm>

#include "base/error.h"

namespace gannet {

RowsShape Penalty::rows(int64_t n, const SampleShape& image) const {
    switch (norm) {
        case Norm::sample: return {n, image.size()};
        case Norm::channel: return {n * image.H * image.W, image.C};
        case Norm::batch: return {1, n * image.size()};
    }
    return {};
}

Objective::Objective(const config::Object& c) : loss(c.text("loss")) {
    const real real_label = real(c.number("real_label")), fake_label = real(c.number("fake_label")),
               epsilon = real(c.number("bce_epsilon"));
    const bool saturating = c.text("generator_loss") == "saturating";
    if (loss == "bce" || loss == "bce_with_logits") {
        const LossKind kind = loss == "bce" ? LossKind::bce : LossKind::bce_with_logits;
        on_real = {kind, real_label, epsilon};
        on_fake = {kind, fake_label, epsilon};
        on_generated = saturating ? on_fake : on_real;
        if (saturating) on_generated.weight = -1;
    } else if (loss == "least_squares") {
        on_real = {LossKind::least_squares, real_label, 0};
        on_fake = {LossKind::least_squares, fake_label, 0};
        on_generated = on_real;
    } else if (loss == "hinge") {
        on_real = {LossKind::hinge, 1, 0};
        on_fake = {LossKind::hinge, -1, 0};
        on_generated = {LossKind::linear, -1, 0};
    } else {
        on_real = {LossKind::linear, -1, 0};
        on_fake = {LossKind::linear, 1, 0};
        on_generated = on_real;
    }
    if (c.text("discriminator_loss") == "mean" && loss != "wasserstein") on_real.weight = on_fake.weight = real(0.5);
    critic_steps = int(c.integer("critic_steps"));
    generator_steps = int(c.integer("generator_steps"));
    generator_first = c.text("update_order") == "generator_first";
    reuse_fakes = c.text("fakes") == "reuse";
    const config::Object accumulate = c.object("accumulate");
    discriminator_batches = int(accumulate.integer("discriminator"));
    generator_batches = int(accumulate.integer("generator"));
    reuse_all = generator_first ? discriminator_batches == generator_batches * generator_steps
                                : generator_batches == discriminator_batches * critic_steps;
    mean_of_batches = accumulate.text("reduction") == "mean";
    if (c.has("critic_warm_up")) {
        const config::Object w = c.object("critic_warm_up");
        warm_up = WarmUp{int(w.integer("critic_steps")), w.integer("steps"), w.integer("every")};
    }
    clip_before = c.text("clip_when") == "before";
    if (c.has("weight_clip")) weight_clip = real(c.number("weight_clip"));
    if (c.has("gradient_penalty")) {
        const config::Object p = c.object("gradient_penalty");
        const std::string& norm = p.text("norm");
        penalty = Penalty{norm == "sample"    ? Penalty::Norm::sample
                          : norm == "channel" ? Penalty::Norm::channel
                                              : Penalty::Norm::batch,
                          real(p.number("weight")), real(p.number("target"))};
    }
}

Tensor Objective::discriminator(const Tensor& real_scores, const Tensor& fake_scores) const {
    return gannet::loss(fake_scores, on_fake, gannet::loss(real_scores, on_real));
}

Tensor Objective::generator(const Tensor& fake_scores, const Tensor&) const { return gannet::loss(fake_scores, on_generated); }

int Objective::critic_steps_at(int64_t step) const { return int(critic_steps_before(step + 1) - critic_steps_before(step)); }

int64_t Objective::critic_steps_before(int64_t step) const {
    if (!warm_up) return step * critic_steps;
    int64_t warm = std::min(step, warm_up->steps);
    const auto multiples_below = [&](int64_t n) { return n > 0 ? (n - 1) / warm_up->every + 1 : 0; };
    if (warm_up->every > 0 && step > warm_up->steps) warm += multiples_below(step) - multiples_below(warm_up->steps);
    return step * critic_steps + warm * (warm_up->critic_steps - critic_steps);
}

}  // namespace gannet
