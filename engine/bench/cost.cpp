#include "engine/bench/cost.h"

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

// Adds, by family, the values that a network's modules other than linear layers and convolutions move per sample. An activation
// fused into a linear layer or a convolution moves nothing in the forward pass unless it needs its input. An activation fused
// into a norm moves nothing at all.
void add(const Sequence& sequence, double forward, double backward, StepBytes& s) {
    for (const Sequence::Step& step : sequence.plan) {
        const Module& module = *sequence.layers[step.layer];
        const Description d = module.describe();
        const Family family = module.traits.family;
        double& values = family == Family::norm ? s.norms : family == Family::activation ? s.activations : s.others;
        if (family != Family::product) values += forward * d.forward_values + backward * d.backward_values;
        if (step.activation >= 0 && family == Family::product) {
            const Module& activation = *sequence.layers[std::size_t(step.activation)];
            const double times = needs_input(activation.act.kind) ? forward : 0;
            s.activations += times * activation.describe().forward_values + backward * activation.describe().backward_values;
        }
        for (const Child& child : module.children) add(child.layers, forward, backward, s);
    }
}

double weights_of(const Module& module) {
    double weights = 0;
    for (const Variable& parameter : module.parameters) weights += double(parameter.size());
    return weights;
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

StepBytes step_bytes(GanTrainer& trainer) {
    const Network &generator = trainer.generator(), &discriminator = trainer.discriminator();
    const Objective& o = trainer.objective();
    const Batches b = batches_of(trainer.usual_plan());
    const auto batch = double(trainer.config().batch);
    StepBytes s;
    // A penalty needs a forward pass, a backward pass to its points, and the backward pass of both.
    add(generator.layers(), batch * b.generated, batch * b.of_g, s);
    add(discriminator.layers(), batch * (b.scored + 2 * b.penalised), batch * (2 * b.of_d + b.of_g + 2 * b.penalised), s);
    s.products = step_passes(trainer, [=](const Module& module) {
                     const bool product = module.traits.family == Family::product;
                     return product ? batch * module.describe().forward_values + weights_of(module) : 0;
                 }).total();
    if (b.joined > 0) {  // forward, data gradients except of the first layer, weight gradients
        double all = 0, first = 0;
        for_each_module(discriminator.layers(), [&](const Module& module) {
            const double weights = module.traits.family == Family::product ? weights_of(module) : 0;
            if (first == 0) first = weights;
            all += weights;
        });
        s.products -= b.joined * (3 * all - first);
    }
    // Each term of the discriminator's loss after the first has a separate gradient buffer, which is then added.
    const double terms = 3 * (b.penalised + b.of_d - b.joined + (o.discriminator_batches - 1) * o.critic_steps);
    const std::vector<Trainer::Part> parts = trainer.parts();
    s.optimizers = double(o.generator_steps) * parts[0].optimizer.words() * double(generator.parameter_count()) +
                   (double(o.critic_steps) * parts[1].optimizer.words() + terms) * double(discriminator.parameter_count());
    s.data = batch * double(discriminator.in().size()) * (1.25 * b.of_d + (3 + 1 + 2) * b.penalised);
    for (double* values : {&s.products, &s.norms, &s.activations, &s.others, &s.optimizers, &s.data}) *values *= sizeof(real);
    return s;
}

}  // namespace gannet::bench
