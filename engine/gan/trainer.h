// Trains a GAN by its configuration. This code does not depend on an architecture: models differ only in their JSON.
#pragma once
#include <memory>
#include <vector>

#include "engine/gan/sampler.h"
#include "engine/gan/step.h"
#include "engine/train/trainer.h"

namespace gannet {

// The logged values of a step; reading them waits for the device.
struct StepLosses {
    double loss_d = 0, loss_g = 0, grad_norm_d = 0, grad_norm_g = 0;
};

class GanTrainer : public Trainer {
public:
    // Builds both networks, checks them against the data, which must outlive the trainer, and initialises the parameters.
    // A step is one cycle of the schedule: critic_steps updates of D and generator_steps of G, in the order of update_order.
    GanTrainer(const config::GanConfig& config, const Dataset& data, Device device, Hooks hooks = {});
    GanTrainer(const config::GanConfig& config, Dataset&& data, Device device,
               Hooks hooks = {}) = delete;  // it would not outlive the trainer

    const config::GanConfig& config() const override { return config_; }
    std::vector<Part> parts() override;
    int64_t images_before(int64_t step) const override;
    int plan_of(int64_t step) const override { return gan::plan_at(config_.objective, step); }
    StepLosses losses() const;  // of the last updates of the last step

    Network& generator() { return generator_; }
    Network& discriminator() { return discriminator_; }
    const Objective& objective() const { return config_.objective; }
    // The plan of the next step, and the plan of most steps.
    const gan::Plan& plan() const { return plans_[std::size_t(plan_of(step_count()))]; }
    const gan::Plan& usual_plan() const { return plans_[0]; }

private:
    enum Result { of_discriminator, of_generator };  // places in results()

    std::vector<Tensor> updates(int plan, StepObserver& observer) override;

    config::GanConfig config_;
    Network generator_, discriminator_;
    std::unique_ptr<Optimizer> generator_optimizer_, discriminator_optimizer_;
    std::vector<gan::Plan> plans_;
    std::unique_ptr<gan::Step> step_;
};

}  // namespace gannet
