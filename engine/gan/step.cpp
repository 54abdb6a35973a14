#include "engine/gan/step.h"

#include "engine/gan/sampler.h"
#include "kernels/place.h"

namespace gannet::gan {

struct Step::CurrentBatch {
    const Update& update;
    const Batch& batch;
    StepObserver& observer;
    std::string prefix = update.prefix(batch);

    void values(const char* name, const Tensor& value) const { observer.values(prefix + name, value); }
    void images(const char* name, const Tensor& value, const SampleShape& sample) const {
        observer.images(prefix + name, value, sample);
    }
};

void GradientSum::begin(real weight) {
    empty_ = true;
    weight_ = weights_.at(weight);
}

void GradientSum::reserve_weight(real weight) {
    if (!weights_.contains(weight)) weights_[weight] = Tensor::full({}, weight, device_);
}

void GradientSum::reserve(int term) {
    if (!buffers_[term]) buffers_[term] = Tensor::full(network_.flat_gradients().shape(), 0, device_);
}

void GradientSum::add(int term, const Tensor& loss) {
    if (empty_) {
        grad({loss}, network_.values(), {weight_}, {.create_graph = false, .into = network_.gradients()});
        empty_ = false;
        return;
    }
    const Tensor &sum = network_.flat_gradients(), &buffer = buffers_[term];
    grad({loss}, network_.values(), {weight_},
         {.create_graph = false, .into = network_.parameters_in(buffer), .zero_absent = false});
    RUN(device_, accumulate_update, sum.data(), buffer.data(), sum.size());
}

Step::Step(const config::GanConfig& config, const Nets& nets, const ImageFeed& feed, DeviceAddress<Counters> counters,
           const std::vector<Plan>& plans, Hooks hooks, Device device)
    : config_(config),
      nets_(nets),
      feed_(feed),
      counters_(counters),
      hooks_(std::move(hooks)),
      device_(device),
      batch_(config.batch),
      generator_gradients_(nets.generator, device),
      discriminator_gradients_(nets.discriminator, device) {
    for (const Plan& plan : plans)
        for (const Update& update : plan.updates) {
            GradientSum& sum = update.net == Net::generator ? generator_gradients_ : discriminator_gradients_;
            sum.reserve_weight(update.batch_weight);
            if (update.batches.size() > 1) sum.reserve(GradientSum::scores);
            if (update.net == Net::generator) continue;
            for (const Batch& b : update.batches)
                if (b.scores == Scores::separate || b.scores == Scores::shared) sum.reserve(GradientSum::fakes);
            if (!update.penalty) continue;
            sum.reserve(GradientSum::penalty);
            ones_ = Tensor::full(nets.discriminator.out().batch(batch_), 1, device);
        }
}

std::vector<Tensor> Step::run(const Plan& plan, StepObserver& observer) {
    Tensor loss_d, loss_g;
    for (const Update& update : plan.updates) {
        if (update.net == Net::discriminator) loss_d = discriminator_update(update, observer);
        else loss_g = generator_update(update, observer);
    }
    stored_fakes_.clear();
    return {loss_d, loss_g};
}

Tensor Step::discriminator_update(const Update& update, StepObserver& observer) {
    const Range range("discriminator update");
    Network& discriminator = nets_.discriminator;
    nets_.discriminator_optimizer.begin();
    discriminator_gradients_.begin(update.batch_weight);
    Tensor total;
    for (const Batch& batch : update.batches) {
        const CurrentBatch at{update, batch, observer};
        const bool join = batch.scores == Scores::joined;
        const Tensor joined = join ? Tensor::empty(discriminator.in().batch(2 * batch_), device_) : Tensor();
        const Tensor real_images = reals(at, join ? joined.rows(0, batch_) : Tensor());
        const Fakes fakes = fakes_of(at, batch.keep);
        if (batch.keep) stored_fakes_.push_back(fakes);
        const Tensor fake = fakes.images.detach();
        at.images("fake", fake, nets_.generator.out());
        if (join) {
            const Tensor half = joined.rows(batch_, batch_);
            RUN(device_, copy, half.data(), fake.data(), fake.size());
        }
        Tensor loss = score(at, real_images, fakes, joined);
        if (update.penalty) loss = add(loss, penalise(at, real_images, fake));
        at.values("loss", loss);
        const Recording off(false);
        total = total ? add(total, loss) : loss;
    }
    finish(update, discriminator, nets_.discriminator_optimizer, observer);
    return update.batches.size() > 1 ? scale(total, real(1) / real(update.batches.size())).detach() : total;
}

// Computes the discriminator's loss on a batch of real and one of fake images, and adds its gradients.
Tensor Step::score(const CurrentBatch& at, const Tensor& real_images, const Fakes& fakes, const Tensor& joined) {
    const Tensor fake = fakes.images.detach();
    const LossTerms& losses = at.update.losses;
    switch (at.batch.scores) {
        case Scores::joined: {
            const Tensor loss = joined_loss(scores_of(joined, at, Role::data), losses.on_real, losses.on_fake);
            discriminator_gradients_.add(GradientSum::scores, loss);
            return loss.detach();
        }
        case Scores::together: {
            const Tensor of_real = scores_of(real_images, at, Role::data), of_fake = scores_of(fake, at, Role::fake);
            const Tensor loss = losses.loss->joint(losses, Net::discriminator, of_real, of_fake);
            discriminator_gradients_.add(GradientSum::scores, loss);
            return loss.detach();
        }
        case Scores::separate:
        case Scores::shared: break;
    }
    Tensor of_real;
    {  // the scope ends here to free the tape of the real images before the fakes are scored
        const Tensor loss = gannet::loss(scores_of(real_images, at, Role::data), losses.on_real);
        discriminator_gradients_.add(GradientSum::scores, loss);
        of_real = loss.detach();
    }
    const bool shared = at.batch.scores == Scores::shared;
    if (shared) nets_.discriminator.update_buffers(fakes.updates);  // running statistics advance in the schedule's order
    const Tensor sum = loss(shared ? fakes.scores : scores_of(fake, at, Role::fake), losses.on_fake, of_real);
    discriminator_gradients_.add(GradientSum::fakes, sum);
    return sum.detach();
}

// Computes the gradient penalty at points between real and fake images, and adds its gradients.
Tensor Step::penalise(const CurrentBatch& at, const Tensor& real_images, const Tensor& fake) {
    const Tensor weight = uniform({batch_, 1}, source(at, streams::interpolation), at.batch.first_sample, 0, 1, device_);
    at.values("eps", weight.view({batch_}));
    const Tensor points = interpolate(real_images, fake, weight).set_requires_grad();
    const Tensor scores = scores_of(points, at, Role::interpolated);
    const Tensor gradient = grad({scores}, {points}, {ones_}, {.create_graph = true, .into = {}})[0];
    if (!gradient) return Tensor::full({}, 0, device_);
    const Penalty& p = *at.update.penalty;
    const Tensor value = gradient_penalty(gradient, p.rows(batch_, nets_.discriminator.in()), p.target, p.weight);
    discriminator_gradients_.add(GradientSum::penalty, value);
    return value.detach();
}

Tensor Step::generator_update(const Update& update, StepObserver& observer) {
    const Range range("generator update");
    nets_.generator_optimizer.begin();
    generator_gradients_.begin(update.batch_weight);
    const LossTerms& losses = update.losses;
    Tensor total;
    for (const Batch& batch : update.batches) {
        const CurrentBatch at{update, batch, observer};
        const Fakes fakes = fakes_of(at, true);
        Fakes left{fakes.latents, fakes.images.detach(), {}, {}};
        Pass seen = pass(at, Role::fake);
        seen.updates = &left.updates;
        const Tensor scores = nets_.discriminator.forward({fakes.images}, seen);
        const Tensor loss = losses.loss->joint ? losses.loss->joint(losses, Net::generator, real_scores(at), scores)
                                               : gannet::loss(scores, losses.on_generated);
        generator_gradients_.add(GradientSum::scores, loss);
        at.values("loss", loss);
        if (batch.keep) {
            if (batch.scores == Scores::shared) left.scores = scores;
            stored_fakes_.push_back(std::move(left));
        }
        const Recording off(false);
        total = total ? add(total, loss) : loss.detach();
    }
    finish(update, nets_.generator, nets_.generator_optimizer, observer);
    return update.batches.size() > 1 ? scale(total, real(1) / real(update.batches.size())).detach() : total;
}

void Step::finish(const Update& update, Network& network, Optimizer& optimizer, StepObserver& observer) {
    if (update.batches.front().reuse >= 0) stored_fakes_.clear();
    finish_update(update.name() + ".", network, optimizer, hooks_, observer);
}

Step::Fakes Step::fakes_of(const CurrentBatch& at, bool recorded) {
    Fakes fakes;
    if (at.batch.reuse >= 0) {
        fakes = stored_fakes_[std::size_t(at.batch.reuse)];
    } else {
        const Recording scope(recorded);
        fakes.latents = draw_latents(config_, source(at, streams::latent), at.batch.first_sample, batch_, device_);
        fakes.images = nets_.generator.forward({fakes.latents}, pass(at, Role::fake));
    }
    at.values("z", fakes.latents);
    return fakes;
}

Tensor Step::reals(const CurrentBatch& at, const Tensor& into) const {
    const Tensor images = feed_.batch(at.batch.images, batch_, counters_, into);
    at.images("real", images, nets_.discriminator.in());
    return images;
}

// Scores of real images for a generator loss that compares real and fake: no gradient passes through them.
Tensor Step::real_scores(const CurrentBatch& at) const {
    const Recording off(false);
    return scores_of(reals(at), at, Role::data);
}

Tensor Step::scores_of(const Tensor& images, const CurrentBatch& at, Role role) const {
    return nets_.discriminator.forward({images}, pass(at, role));
}

Pass Step::pass(const CurrentBatch& at, Role role) const {
    return {.role = role,
            .update = at.update.key(),
            .first_sample = at.batch.first_sample,
            .seed = config_.seed,
            .counters = counters_,
            .observer = at.observer.passes(at.prefix)};
}

RandomSource Step::source(const CurrentBatch& at, uint32_t stream) const {
    return {counters_, {config_.seed, stream, at.update.key()}};
}

}  // namespace gannet::gan
