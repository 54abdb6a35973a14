// Optimizers over a network's flat buffers.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/nn/network.h"

namespace gannet {

// What one update works on: flat arrays of n values.
struct OptimizerUpdate {
    Device device;
    real* w;
    const real* g;
    std::vector<real*> states;  // in the order of OptimizerKind::states
    OptimizerState* progress;
    int64_t n;

    // Counts the update; the betas are those of bias corrections.
    void advance(double beta1 = 0, double beta2 = 0) const;
};

// Done around each update of a network, such as clipping of its weights. Has no saved state; may only enqueue work on the device.
class Decorator {
public:
    virtual ~Decorator() = default;
    virtual void before() {}                    // ahead of the passes whose gradients the update takes
    virtual void after() {}                     // once the weights have moved
    virtual double words() const { return 0; }  // that it moves for each parameter
};

class Optimizer {
public:
    // State for the checkpoint: a flat tensor with the parameters' layout.
    struct State : StateSpec {
        Tensor flat;
    };

    Optimizer(const config::OptimizerConfig& config, const Network& network);

    void decorate(std::unique_ptr<Decorator> decorator) { decorators_.push_back(std::move(decorator)); }

    // Around an update: before its passes, and once the network's flat gradients are complete.
    void begin();
    void update();

    const std::vector<State>& states() const { return states_; }
    int64_t updates() const { return progress_.get().updates; }
    void set_updates(int64_t updates);
    double words() const;  // that an update moves for each parameter

private:
    const OptimizerKind& kind_;
    OptimizerParameters parameters_;
    Tensor values_, gradients_;
    std::vector<State> states_;
    std::vector<std::unique_ptr<Decorator>> decorators_;
    DeviceValue<OptimizerState> progress_;
};

// Weight clipping, Arjovsky et al., arXiv 1701.07875: puts weights outside of [-limit, limit] on its ends.
class ClipWeights : public Decorator {
public:
    enum class When { before, after };
    ClipWeights(const Network& network, real limit, When when)
        : values_(network.flat_values().detach()), limit_(limit), when_(when) {}
    void before() override;
    void after() override;
    double words() const override { return 2; }

private:
    void clip() const;
    Tensor values_;
    real limit_;
    When when_;
};

}  // namespace gannet
