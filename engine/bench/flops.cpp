#include "engine/bench/flops.h"

#include <algorithm>
#include <vector>

namespace gannet::bench {
namespace {

using Cost = std::function<double(const Module&)>;

struct Work {
    double cost = 0;      // of a pass
    bool curved = false;  // the slope of its output by its input depends on the input
    bool first = false;   // no layer with weights comes before it, so nobody asks for the gradient by its input
};

// `follows`: a layer with weights comes before the sequence. Returns whether one comes before what follows it.
bool collect(const Sequence& sequence, const Cost& cost, bool follows, std::vector<Work>& layers) {
    for (const auto& module : sequence.layers) {
        const Module& layer = *module;
        const ActivationKind act = layer.act.kind;
        const bool norm = layer.type == "batch_norm" || layer.type == "layer_norm";
        const double work = cost(layer);
        layers.push_back({work, norm || act == ActivationKind::tanh || act == ActivationKind::sigmoid, work > 0 && !follows});
        bool weighted = follows || work > 0;
        for (const Child& child : layer.children) weighted |= collect(child.layers, cost, follows, layers);
        follows = weighted;
    }
    return follows;
}

// Passes through one network.
struct Passes {
    double forward = 0;
    double but_first = 0, but_last = 0;  // without the first (one in each branch) or last layer that has weights
    double second = 0;                   // from the last curved layer back to the weights
};

Passes passes(const Network& network, const Cost& cost) {
    std::vector<Work> layers;
    collect(network.layers(), cost, false, layers);
    Passes p;
    for (const Work& layer : layers) {
        p.forward += layer.cost;
        p.but_first += layer.first ? 0 : layer.cost;
    }
    const auto weighted = [](const Work& layer) { return layer.cost > 0; };
    const auto last = std::find_if(layers.rbegin(), layers.rend(), weighted);
    p.but_last = p.forward - (last == layers.rend() ? 0 : last->cost);
    const auto curved = std::find_if(layers.rbegin(), layers.rend(), [](const Work& layer) { return layer.curved; });
    for (auto layer = curved; layer != layers.rend(); ++layer) p.second += layer->cost + (layer->first ? 0 : layer->cost);
    return p;
}

}  // namespace

StepFlops step_passes(GanTrainer& trainer, const Cost& cost) {
    const Objective& o = trainer.objective();
    const Passes g = passes(trainer.generator(), cost), d = passes(trainer.discriminator(), cost);
    const double d_batches = double(o.critic_steps) * o.discriminator_batches,
                 g_batches = double(o.generator_steps) * o.generator_batches;
    // The first update of the network that comes second takes the fakes that are there.
    const double taken = !o.reuse_fakes ? 0 : o.generator_first ? o.discriminator_batches : o.generator_batches;
    const double shared = trainer.shares_scores() ? o.discriminator_batches : 0;
    StepFlops s;
    s.forward = (d_batches + g_batches - taken) * g.forward + (2 * d_batches + g_batches - shared) * d.forward;
    s.data_gradient = 2 * d_batches * d.but_first + g_batches * (d.forward + g.but_first);
    s.weight_gradient = 2 * d_batches * d.forward + g_batches * g.forward;
    if (o.penalty) s.penalty = d_batches * (3 * d.forward + d.but_last + d.second);
    return s;
}

StepFlops step_flops(GanTrainer& trainer) {
    const auto batch = double(trainer.config().batch);
    return step_passes(trainer, [batch](const Module& layer) { return layer.flops * batch; });
}

}  // namespace gannet::bench
