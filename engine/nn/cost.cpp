#include "engine/nn/cost.h"

#include <algorithm>
#include <functional>

namespace gannet {
namespace {

using Cost = std::function<double(const Module&)>;

struct LayerCost {
    double cost = 0;      // of a pass
    bool curved = false;  // the derivative of its output depends on its input
    bool first = false;   // no layer with weights comes before it, so its data gradient is not needed
};

// `follows`: a layer with weights comes before the sequence. Returns the same for the layers after the sequence.
bool collect(const Sequence& sequence, const Cost& cost, bool follows, std::vector<LayerCost>& layers) {
    for (const auto& module : sequence.layers) {
        const double work = cost(*module);
        layers.push_back({work, module->traits.curved, work > 0 && !follows});
        bool weighted = follows || work > 0;
        for (const Child& child : module->children) weighted |= collect(child.layers, cost, follows, layers);
        follows = weighted;
    }
    return follows;
}

// The passes' sums of any cost of a layer with weights per pass.
Flops sums(const Network& network, const Work& work, const Cost& cost) {
    std::vector<LayerCost> layers;
    collect(network.layers(), cost, false, layers);
    double all = 0, but_first = 0;  // without the first layer with weights (of each branch)
    for (const LayerCost& layer : layers) all += layer.cost, but_first += layer.first ? 0 : layer.cost;
    const auto last = std::find_if(layers.rbegin(), layers.rend(), [](const LayerCost& layer) { return layer.cost > 0; });
    const auto curved = std::find_if(layers.rbegin(), layers.rend(), [](const LayerCost& layer) { return layer.curved; });
    double second = 4 * all - (last == layers.rend() ? 0 : last->cost);
    for (auto layer = curved; layer != layers.rend(); ++layer) second += (layer->first ? 1 : 2) * layer->cost;
    return {.forward = work.forward * all,
            .data_gradient = work.to_weights * but_first + work.to_input * all,
            .weight_gradient = work.to_weights * all,
            .penalty = work.penalties * second};
}

// Adds, by family, the values that modules other than linear layers and convolutions move per sample. An activation fused into a
// linear layer or a convolution moves nothing in the forward pass unless it needs its input. An activation fused into a norm
// moves nothing at all.
void add(const Sequence& sequence, double forward, double backward, Bytes& s) {
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
    if (module.traits.family == Family::product)
        for (const Variable& parameter : module.parameters) weights += double(parameter.size());
    return weights;
}

double kept_values(const Sequence& sequence) {
    double values = 0;
    for (const Sequence::Step& step : sequence.plan) {
        const auto& module = sequence.layers[step.layer];
        const bool input_too = step.activation >= 0 && needs_input(sequence.layers[std::size_t(step.activation)]->act.kind);
        values += (input_too ? 2 : 1) * double(module->out.size());
        for (const Child& child : module->children) values += kept_values(child.layers);
    }
    return values;
}

}  // namespace

Flops Flops::operator+(const Flops& o) const {
    return {forward + o.forward, data_gradient + o.data_gradient, weight_gradient + o.weight_gradient, penalty + o.penalty};
}

Bytes Bytes::operator+(const Bytes& o) const {
    return {products + o.products, norms + o.norms,           activations + o.activations,
            others + o.others,     optimizers + o.optimizers, data + o.data};
}

Flops flops(const Network& network, const Work& work, int64_t batch) {
    return sums(network, work, [batch](const Module& module) { return double(batch) * module.describe().flops; });
}

Bytes bytes(const Network& network, const Work& work, int64_t batch, double words) {
    constexpr double value = sizeof(real);
    const double n = value * double(batch);
    Bytes s;
    // The second backward pass of a penalty goes back through the first, and then through the forward pass.
    add(network.layers(), n * (work.forward + 2 * work.penalties), n * (work.to_weights + work.to_input + 2 * work.penalties), s);
    const auto product = [n](const Module& module) {
        return module.traits.family == Family::product ? n * module.describe().forward_values + value * weights_of(module) : 0;
    };
    const Work joined{.forward = work.joined, .to_weights = work.joined};
    s.products = sums(network, work, product).total() -
                 sums(network, joined, [](const Module& module) { return value * weights_of(module); }).total();
    s.optimizers = value * double(network.parameter_count()) * (work.updates * words + 3 * work.added);
    // An image is read as bytes. A penalty reads two batches and writes one, then reads the gradients, and again for its own
    // gradient.
    s.data = n * double(network.in().size()) * ((1 + 1 / value) * work.images + 2 * work.joined + (3 + 1 + 2) * work.penalties);
    return s;
}

double kept_bytes(const Network& network, int64_t batch) { return sizeof(real) * double(batch) * kept_values(network.layers()); }

}  // namespace gannet
