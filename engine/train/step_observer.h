// What watches a step, and what is called around each update of it.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/nn/optimizer.h"

namespace gannet {

// Watches a step; the default ignores everything. Names are those of a trace: "d0.real", and "d0.b1.real" for the second batch of
// an update.
class StepObserver {
public:
    virtual ~StepObserver() = default;
    virtual void values(const std::string& /*name*/, const Tensor&) {}
    virtual void images(const std::string& /*name*/, const Tensor&, const SampleShape&) {}
    // The sum of an update's gradients, before the weights move.
    virtual void gradients(const std::string& /*prefix*/, const Network&) {}
    // The observer of a batch's passes through the networks; null: none.
    virtual PassObserver* passes(const std::string& /*prefix*/) { return nullptr; }
};

// Called in each update once the network's flat gradients are complete, and once its weights have moved, when a step is executed
// or recorded: a replayed graph does not call them. They may only launch kernels, as a Decorator may.
struct Hooks {
    using Hook = std::function<void(Network&)>;
    std::vector<Hook> gradients_ready = {}, updated = {};
};

// Ends an update: the network's flat gradients are complete.
inline void finish_update(const std::string& prefix, Network& network, Optimizer& optimizer, const Hooks& hooks,
                          StepObserver& observer) {
    for (const Hooks::Hook& hook : hooks.gradients_ready) hook(network);
    observer.gradients(prefix + "grad.", network);
    optimizer.update();
    for (const Hooks::Hook& hook : hooks.updated) hook(network);
}

}  // namespace gannet
