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

// Writes the values of a step to a trace: "d0.real", and "d0.b1.real" for the second batch.
class TraceObserver : public gan::StepObserver, public PassObserver {
public:
    explicit TraceObserver(Trace& trace) : trace_(trace) {}
    void values(const gan::Update& update, int batch, const std::string& name, const Tensor& value) override {
        trace_.values(prefix(update, batch) + name, value);
    }
    void images(const gan::Update& update, int batch, const std::string& name, const Tensor& value,
                const SampleShape& sample) override {
        trace_.images(prefix(update, batch) + name, value, sample);
    }
    void gradients(const gan::Update& update, const Network& network) override {
        trace_.gradients(prefix(update, 0) + "grad.", network);
    }
    PassObserver* passes(const gan::Update& update, int batch) override {
        of_batch_ = prefix(update, batch);
        return this;
    }
    void mask(const Module& module, const Pass& pass, const std::function<Tensor()>& draw) override {
        static constexpr const char* roles[] = {"real", "fake", "interpolated"};
        const Tensor mask = draw();
        const SampleShape sample = mask.shape().size() == 4 ? SampleShape{mask.dim(1), mask.dim(2), mask.dim(3), false}
                                                            : SampleShape{1, 1, mask.dim(1), true};
        trace_.images(of_batch_ + "mask." + module.name + "." + roles[int(pass.role)], mask, sample);
    }

private:
    static std::string prefix(const gan::Update& update, int batch) {
        return update.name() + "." + (batch ? "b" + std::to_string(batch) + "." : "");
    }
    Trace& trace_;
    std::string of_batch_;  // the prefix of the batch whose networks run
};

}  // namespace

GanTrainer::GanTrainer(const config::GanConfig& config, const Dataset& data, Device device)
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
    step_ = std::make_unique<gan::Step>(config_, nets, feed_, counters_.data(), plans_, device_);
}

int64_t GanTrainer::images_before(int64_t step) const { return gan::images_before(config_.objective, config_.batch, step); }

std::vector<Trainer::Part> GanTrainer::parts() {
    return {{generator_, *generator_optimizer_}, {discriminator_, *discriminator_optimizer_}};
}

std::vector<Tensor> GanTrainer::updates(int plan, Trace* trace) {
    const gan::Plan& p = plans_[std::size_t(plan)];
    gan::StepObserver nobody;
    if (!trace) return step_->run(p, nobody);
    TraceObserver observer(*trace);
    return step_->run(p, observer);
}

StepLosses GanTrainer::losses() const {
    const auto norm = [&](const Network& network) {
        const Tensor out = Tensor::empty({}, device_), &g = network.flat_gradients();
        RUN(device_, norm2, out.data(), g.data(), g.size());
        return double(out.item());
    };
    const auto loss = [&](Result of) { return results().empty() ? NAN : double(results()[of].item()); };
    return {loss(of_discriminator), loss(of_generator), norm(discriminator_), norm(generator_)};
}

}  // namespace gannet
