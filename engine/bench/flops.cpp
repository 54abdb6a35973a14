#include "engine/bench/flops.h"

#include <algorithm>
#include <vector>

namespace gannet::bench {
namespace {

using Cost = std::function<double(const Module&)>;

struct Work {
    double cost = 0;      // of a pass
    bool curved = false;  // the derivative of its output depends on its input
    bool first = false;   // no layer with weights comes before it, so its data gradient is not needed
};

// `follows`: a layer with weights comes before the sequence. Returns the same for the layers after the sequence.
bool collect(const Sequence& sequence, const Cost& cost, bool follows, std::vector<Work>& layers) {
    for (const auto& module : sequence.layers) {
        const double work = cost(*module);
        layers.push_back({work, module->traits.curved, work > 0 && !follows});
        bool weighted = follows || work > 0;
        for (const Child& child : module->children) weighted |= collect(child.layers, cost, follows, layers);
        follows = weighted;
    }
    return follows;
}

// Costs of passes through one network.
struct Passes {
    double forward = 0;
    double but_first = 0, but_last = 0;  // without the first (of each branch) or last layer with weights
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

Batches batches_of(const gan::Plan& plan) {
    Batches b;
    for (const gan::Update& update : plan.updates) {
        const bool of_g = update.net == Net::generator;
        for (const gan::Batch& batch : update.batches) {
            (of_g ? b.of_g : b.of_d) += 1;
            if (batch.reuse < 0) b.generated += 1;
            b.scored += of_g || batch.scores == gan::Scores::shared ? 1 : 2;
            if (!of_g && batch.scores == gan::Scores::joined) b.joined += 1;
            if (update.penalty) b.penalised += 1;
        }
    }
    return b;
}

StepFlops step_passes(GanTrainer& trainer, const Cost& cost) {
    const Passes g = passes(trainer.generator(), cost), d = passes(trainer.discriminator(), cost);
    const Batches b = batches_of(trainer.usual_plan());
    StepFlops s;
    s.forward = b.generated * g.forward + b.scored * d.forward;
    s.data_gradient = 2 * b.of_d * d.but_first + b.of_g * (d.forward + g.but_first);
    s.weight_gradient = 2 * b.of_d * d.forward + b.of_g * g.forward;
    s.penalty = b.penalised * (3 * d.forward + d.but_last + d.second);
    return s;
}

StepFlops step_flops(GanTrainer& trainer) {
    const auto batch = double(trainer.config().batch);
    return step_passes(trainer, [batch](const Module& layer) { return layer.describe().flops * batch; });
}

}  // namespace gannet::bench
