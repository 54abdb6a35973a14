// Activations and dropout.
#include "engine/config/keys.h"
#include "engine/nn/registry.h"

namespace gannet {

namespace {

struct ActivationLayer final : Module {
    explicit ActivationLayer(const Site& site) : Module(site) {
        act.kind = traits.activation;
        if (!row_of(act.kind).slope) return;
        act.slope = real(site.keys().number("slope"));
        attributes = {{"slope", site.keys().number("slope")}};
    }
    Tensor forward(const Inputs& inputs, const Pass&, const Fused&) const override { return activation(inputs.x, act); }
    Description describe() const override {
        const double values = double(out.size());
        return {attributes, attributes.empty() ? "" : "slope " + json::dump(attributes[0].second, -1), 0, 2 * values, 3 * values};
    }
    json::Members attributes;
};

struct Dropout final : Module {
    explicit Dropout(const Site& site)
        : Module(site),
          p(site.keys().number("p")),
          channelwise(site.keys().boolean("channelwise")),
          net(site.context.net),
          leaf(site.context.leaf) {
        traits.stochastic = p > 0;
        if (p == 0) traits.family = Family::arrangement;  // it keeps its values
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
                if (channelwise) mask.spatial = 1;  // one value per channel suffices
                const Tensor ones = Tensor::full(channelwise ? Shape{x.dim(0), in.C} : x.shape(), 1, x.device());
                return scale(dropout(ones, source, mask, real(p)), 1 - real(p));
            });
        return dropout(x, source, s, real(p));
    }
    Description describe() const override {
        const double values = 2 * double(out.size());
        return {{{"p", p}, {"channelwise", channelwise}}, "p " + json::dump(p, -1), 0, values, values};
    }
    double p;
    bool channelwise;
    Net net;
    int leaf;  // distinguishes its random numbers from those of other dropouts of the network
};

}  // namespace

std::vector<LayerKind> pointwise_layers() {
    const auto layer = [](ActivationKind kind, std::string doc, std::vector<config::Key> keys = {}) {
        const ActivationRow& row = row_of(kind);
        return LayerKind{{row.name, std::move(doc), std::move(keys)},
                         {.family = Family::activation, .curved = !row.piecewise_linear, .activation = kind},
                         make_module<ActivationLayer>};
    };
    return {
        {{"dropout",
          "During training, sets values to zero with probability `p` and divides the others by `1 - p`.",
          {config::number("p", 0.5, 0, 0.999, "probability of setting a value to zero; below 1"),
           config::boolean("channelwise", false, "drop whole channels (torch's Dropout2d)")}},
         {.linear = true, .stochastic = true},
         make_module<Dropout>},
        // one line for each row of kernels/activation.h: what the reference page says, and keys
        layer(ActivationKind::relu, "`max(x, 0)`."),
        layer(ActivationKind::leaky_relu, "`x` if positive, else `slope x`.",
              {config::number("slope", 0.2, 0, 1, "slope for negative inputs")}),
        layer(ActivationKind::tanh, "Output between -1 and 1: the usual last layer of a generator."),
        layer(ActivationKind::sigmoid, "`1 / (1 + exp(-x))`: output between 0 and 1."),
        layer(ActivationKind::gelu,
              "`x` times the probability that a standard normal number is below `x`: `x (1 + erf(x / sqrt(2))) / 2` (arXiv "
              "1606.08415). Training stores both its input and its output."),
        layer(ActivationKind::silu,
              "`x / (1 + exp(-x))`, also called swish (arXiv 1702.03118). Training stores both its input and its output."),
    };
}

}  // namespace gannet
