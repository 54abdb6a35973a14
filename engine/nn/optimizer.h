// Optimizers over a network's flat buffers.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/nn/network.h"

namespace gannet {

class Optimizer {
public:
    // State for the checkpoint: torch's name ("exp_avg") and a flat tensor with the parameters' layout.
    struct State {
        std::string name;
        Tensor flat;
    };

    Optimizer(const config::OptimizerConfig& config, const Network& network);
    virtual ~Optimizer() = default;

    // Makes one update from the network's flat gradients.
    void update();

    const std::vector<State>& states() const { return states_; }
    int64_t updates() const { return state_.get().updates; }
    void set_updates(int64_t updates);

protected:
    virtual void run(Device device, real* w, const real* g, const OptimizerState* state, int64_t n) = 0;
    Tensor add_state(const std::string& name);

    double beta1_ = 0, beta2_ = 0;  // for the bias corrections; 0 if there are none

private:
    Tensor values_, gradients_;
    std::vector<State> states_;
    DeviceValue<OptimizerState> state_;
};

// Makes the optimizer of config.type; each update then clips the weights to [-clip, clip]. To add an optimizer: a class and a row
// of the table in optimizer.cpp, its keys in engine/model/sections_training.cpp.
std::unique_ptr<Optimizer> make_optimizer(const config::OptimizerConfig& config, const Network& network, double clip = no_clip);

}  // namespace gannet
