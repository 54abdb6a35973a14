// Activations and dropout.
#include "engine/nn/registry.h"

namespace gannet {

using config::Kind;

namespace {

template <ActivationKind kind>
struct ActivationLayer final : Module {
    explicit ActivationLayer(const Site& site) : Module(site) {
        act = {kind, 0};
        if (!site.keys().has("slope")) return;
        act.slope = real(site.keys().number("slope"));
        note = "slope " + json::dump(site.keys().value("slope"), -1);
    }
    Tensor forward(const Inputs& inputs, const Pass&, const Fused&) const override { return activation(inputs.x, act); }
};

struct Dropout final : Module {
    explicit Dropout(const Site& site)
        : Module(site),
          p(real(site.keys().number("p"))),
          channelwise(site.keys().boolean("channelwise")),
          net(site.context.net),
          leaf(site.context.leaf) {
        note = "p " + json::dump(site.keys().value("p"), -1);
        draws = p > 0;
    }
    Tensor forward(const Inputs& inputs, const Pass& pass, const Fused&) const override {
        const Tensor& x = inputs.x;
        if (!pass.training || p == 0) return x;
        const DropoutShape s{pass.first_sample, x.dim(0), in.H * in.W, in.C, channelwise};
        const RandomSource source{pass.counters, {pass.seed, streams::dropout(net, pass.role, leaf), pass.update}};
        if (pass.observer)
            pass.observer->mask(*this, pass, [&] {
                const Recording off(false);
                DropoutShape mask = s;
                if (channelwise) mask.spatial = 1;  // one value per channel says it all
                const Tensor ones = Tensor::full(channelwise ? Shape{x.dim(0), in.C} : x.shape(), 1, x.device());
                return scale(dropout(ones, source, mask, p), 1 - p);
            });
        return dropout(x, source, s, p);
    }
    real p;
    bool channelwise;
    Net net;
    int leaf;  // tells its draws from those of the network's other dropouts
};

}  // namespace

LayerKind dropout_layer() {
    return {
        {"dropout",
         "While training, zeroes values with probability `p` and divides the others by `1 - p`.",
         {{.name = "p", .kind = Kind::number, .doc = "probability of zero, below 1", .otherwise = 0.5, .min = 0, .max = 0.999},
          {.name = "channelwise",
           .kind = Kind::boolean,
           .doc = "whole channels at once (torch's Dropout2d)",
           .otherwise = false}}},
        make_module<Dropout>};
}

LayerKind relu_layer() { return {{"relu", "`max(x, 0)`.", {}}, make_module<ActivationLayer<ActivationKind::relu>>}; }
LayerKind tanh_layer() {
    return {{"tanh", "Between -1 and 1: the usual end of a generator.", {}}, make_module<ActivationLayer<ActivationKind::tanh>>};
}
LayerKind sigmoid_layer() {
    return {{"sigmoid", "`1 / (1 + exp(-x))`, between 0 and 1.", {}}, make_module<ActivationLayer<ActivationKind::sigmoid>>};
}
LayerKind leaky_relu_layer() {
    return {{"leaky_relu",
             "`x` where positive, `slope x` elsewhere.",
             {{.name = "slope", .kind = Kind::number, .doc = "of the negative side", .otherwise = 0.2, .min = 0, .max = 1}}},
            make_module<ActivationLayer<ActivationKind::leaky_relu>>};
}

}  // namespace gannet
