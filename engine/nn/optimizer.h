// Optimizers over a network's flat buffers.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/nn/network.h"

namespace gannet {

// What one update works on: flat arrays of n values, and in device memory the learning rate and the number of updates so far.
struct OptimizerUpdate {
    Device device;
    real* w;
    const real* g;
    std::vector<real*> states;  // of the optimizer or of the decorator, in the order of states()
    OptimizerState* progress;
    int64_t n;

    // Counts the update; the betas are those of bias corrections.
    void advance(double beta1 = 0, double beta2 = 0) const;
};

// Done around each update of a network: clipping of its weights, an average of them, a schedule of the learning rate. It may only
// launch kernels, whose arguments do not change: a CUDA graph records them once and replays them without calling the decorator.
// So whatever depends on the number of the update is read from `progress` by a kernel, and changes of lr are written there.
class Decorator {
public:
    virtual ~Decorator() = default;
    virtual std::vector<StateSpec> states() const { return {}; }  // that it keeps, zero at first, saved with the optimizer's
    virtual void before(const OptimizerUpdate&) {}                // ahead of the passes whose gradients the update takes
    virtual void after(const OptimizerUpdate&) {}                 // once the weights have moved
    virtual double words() const { return 0; }  // that it moves for each parameter, apart from reading and writing its states
};

class Optimizer {
public:
    // State for the checkpoint: a flat tensor with the parameters' layout.
    struct State : StateSpec {
        Tensor flat;
    };

    Optimizer(const config::OptimizerConfig& config, const Network& network);

    void decorate(std::unique_ptr<Decorator> decorator);  // before a state is loaded

    // Around an update: before its passes, and once the network's flat gradients are complete.
    void begin();
    void update();

    const std::vector<State>& states() const { return states_; }  // its own, then those of its decorators
    int64_t updates() const { return progress_.get().updates; }
    void set_updates(int64_t updates);
    double words() const;  // that an update moves for each parameter

private:
    OptimizerUpdate with_states(const std::vector<StateSpec>& specs);

    const OptimizerKind& kind_;
    OptimizerParameters parameters_;
    Tensor values_, gradients_;
    DeviceValue<OptimizerState> progress_;
    std::vector<State> states_;
    OptimizerUpdate update_;
    std::vector<std::pair<std::unique_ptr<Decorator>, OptimizerUpdate>> decorators_;
};

// Weight clipping, Arjovsky et al., arXiv 1701.07875: clamps the weights to [-limit, limit].
class ClipWeights : public Decorator {
public:
    enum class When { before, after };
    ClipWeights(real limit, When when) : limit_(limit), when_(when) {}
    void before(const OptimizerUpdate& update) override { clip(update, When::before); }
    void after(const OptimizerUpdate& update) override { clip(update, When::after); }
    double words() const override { return 2; }

private:
    void clip(const OptimizerUpdate& update, When now) const;
    real limit_;
    When when_;
};

}  // namespace gannet
