#include "engine/nn/optimizer.h"

#include <cmath>

#include "base/error.h"
#include "kernels/place.h"

namespace gannet {

Optimizer::Optimizer(const config::OptimizerConfig& config, const Network& network)
    : values_(network.flat_values().detach()),
      gradients_(network.flat_gradients().detach()),
      state_(values_.device(), OptimizerState{.lr = config.lr}) {}

Tensor Optimizer::add_state(const std::string& name) {
    states_.push_back({name, Tensor::full(values_.shape(), 0, values_.device())});
    return states_.back().flat;
}

void Optimizer::update() {
    const Range range("optimizer");
    const Device device = values_.device();
    RUN(device, optimizer_advance_update, state_.data(), beta1_, beta2_);
    run(device, values_.data(), gradients_.data(), state_.data(), values_.size());
}

void Optimizer::set_updates(int64_t updates) {
    OptimizerState state = state_.get();
    state.updates = updates;
    state_.set(state);
}

namespace {

class Adam : public Optimizer {
public:
    Adam(const config::OptimizerConfig& config, const Network& network, double clip) : Optimizer(config, network) {
        const std::vector<double> betas = config.keys.numbers("betas");
        p_ = {betas[0], betas[1], config.keys.number("eps"), config.keys.number("weight_decay"), clip};
        beta1_ = p_.beta1, beta2_ = p_.beta2;
        m_ = add_state("exp_avg");
        v_ = add_state("exp_avg_sq");
    }
    void run(Device device, real* w, const real* g, const OptimizerState* state, int64_t n) override {
        RUN(device, adam_update, w, m_.data(), v_.data(), g, state, p_, n);
    }

private:
    AdamParameters p_;
    Tensor m_, v_;
};

class Rmsprop : public Optimizer {
public:
    Rmsprop(const config::OptimizerConfig& config, const Network& network, double clip) : Optimizer(config, network) {
        const config::Object& k = config.keys;
        p_ = {k.number("alpha"),
              k.number("eps"),
              k.number("momentum"),
              k.number("weight_decay"),
              k.boolean("eps_inside_sqrt"),
              clip};
        v_ = add_state("square_avg");
        if (p_.momentum > 0) m_ = add_state("momentum_buffer");
    }
    void run(Device device, real* w, const real* g, const OptimizerState* state, int64_t n) override {
        real* m = m_ ? m_.data() : nullptr;
        RUN(device, rmsprop_update, w, v_.data(), m, g, state, p_, n);
    }

private:
    RmspropParameters p_;
    Tensor v_, m_;
};

class Sgd : public Optimizer {
public:
    Sgd(const config::OptimizerConfig& config, const Network& network, double clip) : Optimizer(config, network) {
        const config::Object& k = config.keys;
        p_ = {k.number("momentum"), k.number("weight_decay"), k.boolean("nesterov"), clip};
        if (p_.momentum > 0) m_ = add_state("momentum_buffer");
    }
    void run(Device device, real* w, const real* g, const OptimizerState* state, int64_t n) override {
        real* m = m_ ? m_.data() : nullptr;
        RUN(device, sgd_update, w, m, g, state, p_, n);
    }

private:
    SgdParameters p_;
    Tensor m_;
};

template <class T>
std::unique_ptr<Optimizer> make(const config::OptimizerConfig& config, const Network& network, double clip) {
    return std::make_unique<T>(config, network, clip);
}

struct OptimizerKind {
    const char* type;
    std::unique_ptr<Optimizer> (*make)(const config::OptimizerConfig&, const Network&, double clip);
};
constexpr OptimizerKind kinds[] = {{"adam", make<Adam>}, {"rmsprop", make<Rmsprop>}, {"sgd", make<Sgd>}};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const config::OptimizerConfig& config, const Network& network, double clip) {
    for (const OptimizerKind& kind : kinds)
        if (config.type == kind.type) return kind.make(config, network, clip);
    throw Error("unknown optimizer '" + config.type + "'", config.keys.where("type"));
}

}  // namespace gannet
