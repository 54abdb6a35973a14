#include "engine/gan/trainer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/gan/preflight.h"

namespace gannet {
namespace {

// The largest number of real images per step.
int64_t most_images(const Objective& o, int64_t batch) {
    return std::max(o.critic_steps, o.warm_up ? o.warm_up->critic_steps : 0) * o.discriminator_batches * batch;
}

}  // namespace

GanTrainer::GanTrainer(const config::GanConfig& config, const Dataset& data, Device device, Hooks hooks)
    : Trainer(config, data, false, most_images(config.objective, config.batch), device),
      config_(config),
      generator_(Net::generator, config.generator, config.latent.shape(), image_, config_, device_),
      discriminator_(Net::discriminator, config.discriminator, image_, image_, config_, device_) {
    check_networks(config_, generator_, discriminator_, image_);
    if (generator_.out() != image_) discriminator_.also_take(generator_.out(), config.discriminator, image_, config_);
    check_memory(config_, generator_, discriminator_, device_);
    plans_ = gan::make_plans(config_, generator_, discriminator_);
    generator_.initialise(config.seed);
    discriminator_.initialise(config.seed);
    generator_optimizer_ = std::make_unique<Optimizer>(config.generator_optimizer, generator_);
    discriminator_optimizer_ = std::make_unique<Optimizer>(config.discriminator_optimizer, discriminator_);
    if (const auto& clip = usual_plan().first_of(Net::discriminator).clip)
        discriminator_optimizer_->decorate(
            std::make_unique<ClipWeights>(clip->limit, clip->before ? ClipWeights::When::before : ClipWeights::When::after));
    const gan::Step::Nets nets{generator_, discriminator_, *generator_optimizer_, *discriminator_optimizer_};
    step_ = std::make_unique<gan::Step>(config_, nets, feed_, counters_.address(), plans_, std::move(hooks), device_);
}

int64_t GanTrainer::images_before(int64_t step) const { return gan::images_before(config_.objective, config_.batch, step); }

std::vector<Trainer::Part> GanTrainer::parts() {
    return {{generator_, *generator_optimizer_}, {discriminator_, *discriminator_optimizer_}};
}

std::vector<Tensor> GanTrainer::updates(int plan, StepObserver& observer) {
    return step_->run(plans_[std::size_t(plan)], observer);
}

StepLosses GanTrainer::losses() const {
    const auto loss = [&](Result of) { return results().empty() ? NAN : double(results()[of].item()); };
    return {loss(of_discriminator), loss(of_generator), gradient_norm(discriminator_), gradient_norm(generator_)};
}

}  // namespace gannet
