#include "engine/nn/optimizer.h"

#include "kernels/place.h"

namespace gannet {

void OptimizerUpdate::advance(double beta1, double beta2) const { RUN(device, optimizer_advance_update, progress, beta1, beta2); }

Optimizer::Optimizer(const config::OptimizerConfig& config, const Network& network)
    : kind_(*config.kind),
      parameters_(config.parameters),
      values_(network.flat_values().detach()),
      gradients_(network.flat_gradients().detach()),
      progress_(values_.device(), OptimizerState{.lr = config.lr}) {
    for (const StateSpec& spec : kind_.states(parameters_))
        states_.push_back({spec, Tensor::full(values_.shape(), 0, values_.device())});
}

void Optimizer::begin() {
    for (const auto& decorator : decorators_) decorator->before();
}

void Optimizer::update() {
    const Range range("optimizer");
    OptimizerUpdate arrays{values_.device(), values_.data(), gradients_.data(), {}, progress_.data(), values_.size()};
    for (const State& state : states_) arrays.states.push_back(state.flat.data());
    kind_.update(parameters_, arrays);
    for (const auto& decorator : decorators_) decorator->after();
}

void Optimizer::set_updates(int64_t updates) {
    OptimizerState progress = progress_.get();
    progress.updates = updates;
    progress_.set(progress);
}

double Optimizer::words() const {
    double words = 3 + 2 * double(states_.size());  // weights and states in and out, the gradient in
    for (const auto& decorator : decorators_) words += decorator->words();
    return words;
}

void ClipWeights::before() {
    if (when_ == When::before) clip();
}

void ClipWeights::after() {
    if (when_ == When::after) clip();
}

void ClipWeights::clip() const { RUN(values_.device(), clip_update, values_.data(), limit_, values_.size()); }

}  // namespace gannet
