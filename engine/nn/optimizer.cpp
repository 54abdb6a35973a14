#include "engine/nn/optimizer.h"

#include "kernels/place.h"

namespace gannet {

void OptimizerUpdate::advance(double beta1, double beta2) const { RUN(device, optimizer_advance_update, progress, beta1, beta2); }

Optimizer::Optimizer(const config::OptimizerConfig& config, const Network& network)
    : kind_(*config.kind),
      parameters_(config.parameters),
      values_(network.flat_values().detach()),
      gradients_(network.flat_gradients().detach()),
      progress_(values_.device(), OptimizerState{.lr = config.lr}),
      update_(with_states(kind_.states(parameters_))) {}

OptimizerUpdate Optimizer::with_states(const std::vector<StateSpec>& specs) {
    OptimizerUpdate on{values_.device(), values_.data(), gradients_.data(), {}, progress_.data(), values_.size()};
    for (const StateSpec& spec : specs) {
        states_.push_back({spec, Tensor::full(values_.shape(), 0, on.device)});
        on.states.push_back(states_.back().flat.data());
    }
    return on;
}

void Optimizer::decorate(std::unique_ptr<Decorator> decorator) {
    OptimizerUpdate on = with_states(decorator->states());
    decorators_.emplace_back(std::move(decorator), std::move(on));
}

void Optimizer::begin() {
    for (const auto& [decorator, on] : decorators_) decorator->before(on);
}

void Optimizer::update() {
    const Range range({.name = "optimizer", .group = "optimizer"});
    kind_.update(parameters_, update_);
    for (const auto& [decorator, on] : decorators_) decorator->after(on);
}

void Optimizer::set_updates(int64_t updates) {
    OptimizerState progress = progress_.get();
    progress.updates = updates;
    progress_.set(progress);
}

double Optimizer::words() const {
    double words = 3 + 2 * double(states_.size());  // weights and states in and out, the gradient in
    for (const auto& [decorator, on] : decorators_) words += decorator->words();
    return words;
}

void ClipWeights::clip(const OptimizerUpdate& update, When now) const {
    if (now == when_) RUN(update.device, clip_update, update.w, limit_, update.n);
}

}  // namespace gannet
