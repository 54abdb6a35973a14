#include "engine/gan/trainer.h"

#include <cmath>

#include "base/error.h"
#include "engine/gan/preflight.h"
#include "kernels/place.h"

namespace gannet {

namespace {

// Records the dropout masks of a batch.
class MaskTrace : public PassObserver {
public:
    MaskTrace(Trace* trace, const std::string& prefix) : trace_(trace), prefix_(prefix + "mask.") {}
    void mask(const Module& module, const Pass& pass, const std::function<Tensor()>& draw) override {
        static constexpr const char* roles[] = {"real", "fake", "interpolated"};
        const Tensor mask = draw();
        const SampleShape sample = mask.shape().size() == 4 ? SampleShape{mask.dim(1), mask.dim(2), mask.dim(3), false}
                                                            : SampleShape{1, 1, mask.dim(1), true};
        trace_->images(prefix_ + module.name + "." + roles[int(pass.role)], mask, sample);
    }

private:
    Trace* trace_;
    std::string prefix_;
};

}  // namespace

struct GanTrainer::Pass {
    std::string name;      // "s0.d1.", the trace's prefix
    uint32_t update;       // key of the random draws
    int64_t offset;        // of its real images within the step
    int64_t first_sample;  // of the batch within the update
    int batch;             // its number within the update
    Trace* trace;
    mutable MaskTrace masks{trace, name};
};

namespace {

RandomSource source(const DeviceValue<Counters>& counters, uint64_t seed, uint32_t stream, uint32_t update) {
    return {counters.data(), {seed, stream, update}};
}

// The most that a step takes.
int64_t images_per_step_of(const Objective& objective, int64_t batch) {
    const int most = std::max(objective.critic_steps, objective.warm_up ? objective.warm_up->critic_steps : 0);
    return int64_t(most) * objective.discriminator_batches * batch;
}

}  // namespace

GanTrainer::GanTrainer(const config::ModelConfig& config, const Dataset& data, Device device)
    : Trainer(config, data, images_per_step_of(Objective(config.objective), config.batch), device),
      objective_(config.objective),
      generator_(Net::generator, config.generator, {1, 1, config.latent.integer("size"), true}, image_, config_, device_),
      discriminator_(Net::discriminator, config.discriminator, image_, image_, config_, device_) {
    check_networks(config_, generator_, discriminator_, image_);
    if (generator_.out() != image_) discriminator_.also_take(generator_.out(), config.discriminator, image_, config_);
    check_memory(config_, generator_, discriminator_, device_);
    // where weights are clipped first, the fakes' tape is of others than those that the discriminator's update begins with
    const bool clips_first = objective_.weight_clip > 0 && objective_.clip_before;
    share_scores_ = config_.share_scores && !discriminator_.traits().stochastic && objective_.reuse_fakes &&
                    objective_.generator_first && !clips_first;
    join_batches_ = config_.join_batches && !discriminator_.traits().stochastic && !discriminator_.traits().couples_samples &&
                    generator_.out() == image_;
    generator_.initialise(config.seed);
    discriminator_.initialise(config.seed);
    generator_optimizer_ = make_optimizer(config.generator_optimizer, generator_);
    const bool clips = objective_.weight_clip > 0 && !objective_.clip_before;
    discriminator_optimizer_ =
        make_optimizer(config.discriminator_optimizer, discriminator_, clips ? double(objective_.weight_clip) : no_clip);
    results_.resize(2);
    const auto weight = [&](int batches) { return objective_.mean_of_batches ? real(1) / real(batches) : real(1); };
    ones_of_[0] = Tensor::full({}, weight(objective_.generator_batches), device_);
    ones_of_[1] = Tensor::full({}, weight(objective_.discriminator_batches), device_);
    if (!join_batches_ || share_scores_) fake_gradients_ = Tensor::full(discriminator_.flat_gradients().shape(), 0, device_);
    if (objective_.penalty) {
        ones_ = Tensor::full(discriminator_.out().batch(config_.batch), 1, device_);
        penalty_gradients_ = Tensor::full(discriminator_.flat_gradients().shape(), 0, device_);
    }
    if (objective_.generator_batches > 1) sums_[0] = Tensor::full(generator_.flat_gradients().shape(), 0, device_);
    if (objective_.discriminator_batches > 1) sums_[1] = Tensor::full(discriminator_.flat_gradients().shape(), 0, device_);
}

int64_t GanTrainer::images_before(int64_t step) const {
    return objective_.critic_steps_before(step) * objective_.discriminator_batches * config_.batch;
}

std::vector<Trainer::Part> GanTrainer::parts() {
    return {{generator_, *generator_optimizer_}, {discriminator_, *discriminator_optimizer_}};
}

Tensor GanTrainer::real_batch(const Pass& pass, const Tensor& into) const {
    const Tensor x = feed_.batch(pass.offset, config_.batch, counters_.data(), into);
    if (pass.trace) pass.trace->images(pass.name + "real", x, image_);
    return x;
}

gannet::Pass GanTrainer::through(const Pass& pass, Role role) const {
    return {.role = role,
            .update = pass.update,
            .first_sample = pass.first_sample,
            .seed = config_.seed,
            .counters = counters_.data(),
            .observer = pass.trace ? &pass.masks : nullptr};
}

GanTrainer::Fakes GanTrainer::make_fakes(const Pass& pass, bool recorded) const {
    const Recording scope(recorded);
    Fakes fakes;
    fakes.latents = draw_latents(config_, source(counters_, config_.seed, streams::latent, pass.update), pass.first_sample,
                                 config_.batch, device_);
    fakes.images = generator_.forward({fakes.latents}, through(pass, Role::fake));
    if (pass.trace) pass.trace->values(pass.name + "z", fakes.latents);
    return fakes;
}

// The penalty of points between real and fake images. Its gradient is added to the discriminator's.
Tensor GanTrainer::add_penalty(const Pass& pass, const Tensor& real_images, const Tensor& fake) {
    const Tensor weight = uniform({config_.batch, 1}, source(counters_, config_.seed, streams::interpolation, pass.update),
                                  pass.first_sample, 0, 1, device_);
    if (pass.trace) pass.trace->values(pass.name + "eps", weight.view({config_.batch}));
    Tensor x = interpolate(real_images, fake, weight).set_requires_grad();
    const Tensor scores = discriminator_.forward({x}, through(pass, Role::interpolated));
    const Tensor gradient = grad({scores}, {x}, {ones_}, {.create_graph = true, .into = {}})[0];
    if (!gradient) return Tensor::full({}, 0, device_);
    const Penalty& p = *objective_.penalty;
    const Tensor value = gradient_penalty(gradient, p.rows(config_.batch, image_), p.target, p.weight);
    add_gradients(value, discriminator_, penalty_gradients_);
    return value.detach();
}

// By way of a buffer of the term's own, added as a whole: one launch, where the tape would add parameter by parameter. A term
// depends on the same parameters every time; what it does not depend on stays zero.
void GanTrainer::add_gradients(const Tensor& term, Network& network, const Tensor& buffer) {
    const Tensor& sum = network.flat_gradients();
    grad({term}, network.values(), {ones_of_[int(network.net())]},
         {.create_graph = false, .into = network.places_in(buffer), .zero_absent = false});
    RUN(device_, accumulate_update(sum.data(), static_cast<const real*>(buffer.data()), sum.size(), device_.stream()));
}

// The first term of an update: its gradients are written where those of the first batch are, and added for the others.
void GanTrainer::backward(const Tensor& loss, Network& network, int batch) {
    const int net = int(network.net());
    if (batch > 0) return add_gradients(loss, network, sums_[net]);
    grad({loss}, network.values(), {ones_of_[net]}, {.create_graph = false, .into = network.gradients()});
}

Tensor GanTrainer::add_scores(const Pass& pass, const Tensor& real_images, const Tensor& fake, const Fakes& fakes,
                              const Tensor& joined) {
    const gannet::Pass on_real = through(pass, Role::data);
    if (joined) {
        const Tensor sum = joined_loss(discriminator_.forward({joined}, on_real), objective_.on_real, objective_.on_fake);
        backward(sum, discriminator_, pass.batch);
        return sum.detach();
    }
    Tensor of_real;
    {  // whose tape is gone before the fakes' begins
        const Tensor loss = gannet::loss(discriminator_.forward({real_images}, on_real), objective_.on_real);
        backward(loss, discriminator_, pass.batch);
        of_real = loss.detach();
    }
    if (fakes.scores) discriminator_.move_statistics(fakes.statistics);  // running statistics advance in the schedule's order
    const Tensor scores = fakes.scores ? fakes.scores : discriminator_.forward({fake}, through(pass, Role::fake));
    const Tensor sum = loss(scores, objective_.on_fake, of_real);
    add_gradients(sum, discriminator_, fake_gradients_);
    return sum.detach();
}

void GanTrainer::discriminator_update(int index, Trace* trace) {
    const Range range("discriminator update");
    const int batches = objective_.discriminator_batches;
    if (objective_.weight_clip > 0 && objective_.clip_before) {
        const Tensor& w = discriminator_.flat_values();
        RUN(device_, clip_update(w.data(), objective_.weight_clip, w.size(), device_.stream()));
    }
    const bool first_network = !objective_.generator_first, last = index == objective_.critic_steps - 1;
    const std::string prefix = "s" + std::to_string(position_.step) + ".d" + std::to_string(index) + ".";
    // Fakes are taken from the generator's updates, or left for it together with their tape.
    const bool take = objective_.reuse_fakes && !first_network && index == 0,
               leave = objective_.reuse_fakes && first_network && (last || objective_.reuse_all);
    Tensor total;
    for (int m = 0; m < batches; ++m) {
        const Pass pass{prefix + (m ? "b" + std::to_string(m) + "." : ""), uint32_t(index),
                        (int64_t(index) * batches + m) * config_.batch, int64_t(m) * config_.batch, m, trace};
        const bool join = join_batches_ && !(take && kept_[std::size_t(m)].scores);
        const Tensor joined = join ? Tensor::empty(image_.batch(2 * config_.batch), device_) : Tensor();
        const Tensor real_images = real_batch(pass, join ? joined.rows(0, config_.batch) : Tensor());
        const Fakes fakes = take ? kept_[std::size_t(m)] : make_fakes(pass, leave);
        if (leave) kept_.push_back(fakes);
        const Tensor fake = fakes.images.detach();
        if (trace) {
            if (take) trace->values(pass.name + "z", fakes.latents);
            trace->images(pass.name + "fake", fake, generator_.out());
        }
        if (join) {
            Tensor half = joined.rows(config_.batch, config_.batch);
            RUN(device_, copy(half.data(), fake.data(), fake.size(), device_.stream()));
        }
        Tensor loss = add_scores(pass, real_images, fake, fakes, joined);
        if (objective_.penalty) loss = add(loss, add_penalty(pass, real_images, fake));
        if (trace) trace->values(pass.name + "loss", loss);
        const Recording off(false);
        total = total ? add(total, loss) : loss;
    }
    if (take) kept_.clear();
    results_[of_discriminator] = batches > 1 ? scale(total, real(1) / real(batches)).detach() : total;
    if (trace) trace->gradients(prefix + "grad.", discriminator_);
    discriminator_optimizer_->update();
}

void GanTrainer::generator_update(int index, Trace* trace) {
    const Range range("generator update");
    const int batches = objective_.generator_batches;
    const bool first_network = objective_.generator_first, last = index == objective_.generator_steps - 1;
    const std::string prefix = "s" + std::to_string(position_.step) + ".g" + std::to_string(index) + ".";
    const bool take = objective_.reuse_fakes && !first_network && index == 0,
               leave = objective_.reuse_fakes && first_network && (last || objective_.reuse_all);
    Tensor total;
    for (int m = 0; m < batches; ++m) {
        const Pass pass{prefix + (m ? "b" + std::to_string(m) + "." : ""), generator_update_number + uint32_t(index), 0,
                        int64_t(m) * config_.batch, m, trace};
        const Fakes fakes = take ? kept_[std::size_t(m)] : make_fakes(pass, true);
        if (take && trace) trace->values(pass.name + "z", fakes.latents);
        Fakes left{fakes.images.detach(), fakes.latents, {}, {}};
        gannet::Pass seen = through(pass, Role::fake);
        seen.updates = &left.statistics;
        const Tensor scores = discriminator_.forward({fakes.images}, seen);
        const Tensor loss = gannet::loss(scores, objective_.on_generated);
        backward(loss, generator_, m);
        if (trace) trace->values(pass.name + "loss", loss);
        // Where the discriminator comes second, its first update sees these fakes with the parameters of now: the scores and
        // their tape serve both gradients.
        if (leave && share_scores_) left.scores = scores;
        if (leave) kept_.push_back(std::move(left));
        const Recording off(false);
        total = total ? add(total, loss) : loss.detach();
    }
    if (take) kept_.clear();
    results_[of_generator] = batches > 1 ? scale(total, real(1) / real(batches)).detach() : total;
    if (trace) trace->gradients(prefix + "grad.", generator_);
    generator_optimizer_->update();
}

void GanTrainer::updates(Trace* trace) {
    const auto train_discriminator = [&] {
        const int critic_steps = objective_.critic_steps_at(position_.step);
        for (int c = 0; c < critic_steps; ++c) discriminator_update(c, trace);
    };
    const auto train_generator = [&] {
        for (int k = 0; k < objective_.generator_steps; ++k) generator_update(k, trace);
    };
    if (objective_.generator_first) {
        train_generator();
        train_discriminator();
    } else {
        train_discriminator();
        train_generator();
    }
    kept_.clear();
    RUN(device_, advance_update(counters_.data(), images_of(position_.step), device_.stream()));
}

StepLosses GanTrainer::losses() const {
    const auto norm = [&](const Network& network) {
        const Tensor out = Tensor::empty({}, device_), &g = network.flat_gradients();
        RUN(device_, norm2(out.data(), static_cast<const real*>(g.data()), g.size(), device_.stream()));
        return double(out.item());
    };
    const auto loss = [&](Result of) { return results_[of] ? double(results_[of].item()) : NAN; };
    return {loss(of_discriminator), loss(of_generator), norm(discriminator_), norm(generator_)};
}

}  // namespace gannet
