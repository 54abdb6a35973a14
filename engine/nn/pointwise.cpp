// Activations and dropout.
#include "engine/nn/registry.h"

namespace gannet {

using config::Kind;

namespace {

void set_activation(Layer& layer, Activation act) {
    layer.act = act;
    layer.forward = [act](const Tensor& x, const Context&, const Fused&) { return activation(x, act); };
}

template <ActivationKind kind>
void build_activation(Layer& layer, const config::LayerConfig&, BuildContext&) {
    set_activation(layer, {kind, 0});
}

void build_leaky_relu(Layer& layer, const config::LayerConfig& config, BuildContext&) {
    set_activation(layer, {ActivationKind::leaky_relu, real(config.keys.number("slope"))});
    layer.note = "slope " + json::dump(config.keys.value("slope"), -1);
}

void build_dropout(Layer& layer, const config::LayerConfig& config, BuildContext& context) {
    const real p = real(config.keys.number("p"));
    const bool channelwise = config.keys.boolean("channelwise");
    const SampleShape in = layer.in;
    const int leaf = context.leaf;
    layer.note = "p " + json::dump(config.keys.value("p"), -1);
    layer.draws = p > 0;
    layer.forward = [=, name = layer.name](const Tensor& x, const Context& pass, const Fused&) {
        if (!pass.training || p == 0) return x;
        const DropoutShape s{pass.first_sample, x.dim(0), in.H * in.W, in.C, channelwise};
        const RandomSource source{pass.counters, {pass.seed, streams::dropout(pass.net, pass.role, leaf), pass.update}};
        if (pass.on_mask) {
            const Recording off(false);
            DropoutShape mask = s;
            if (channelwise) mask.spatial = 1;  // one value per channel says it all
            const Tensor ones = Tensor::full(channelwise ? Shape{x.dim(0), in.C} : x.shape(), 1, x.device());
            pass.on_mask(name, scale(dropout(ones, source, mask, p), 1 - p));
        }
        return dropout(x, source, s, p);
    };
}

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
        build_dropout};
}

LayerKind relu_layer() { return {{"relu", "`max(x, 0)`.", {}}, build_activation<ActivationKind::relu>}; }
LayerKind tanh_layer() {
    return {{"tanh", "Between -1 and 1: the usual end of a generator.", {}}, build_activation<ActivationKind::tanh>};
}
LayerKind sigmoid_layer() {
    return {{"sigmoid", "`1 / (1 + exp(-x))`, between 0 and 1.", {}}, build_activation<ActivationKind::sigmoid>};
}
LayerKind leaky_relu_layer() {
    return {{"leaky_relu",
             "`x` where positive, `slope x` elsewhere.",
             {{.name = "slope", .kind = Kind::number, .doc = "of the negative side", .otherwise = 0.2, .min = 0, .max = 1}}},
            build_leaky_relu};
}

}  // namespace gannet
