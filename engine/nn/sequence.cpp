#include <algorithm>

#include "base/error.h"
#include "engine/nn/layer.h"
#include "engine/nn/registry.h"
#include "kernels/place.h"

namespace gannet {
namespace {

// Which neighbours are one kernel. `first` does what `second` would.
enum class Fusion { activation, moments };
struct Pattern {
    std::vector<std::string> first, second;
    Fusion fusion;
};
const std::vector<Pattern>& patterns() {
    static const std::vector<Pattern> table = {
        {{"linear", "conv2d", "conv_transpose2d", "batch_norm", "layer_norm"},
         {"relu", "leaky_relu", "tanh", "sigmoid"},
         Fusion::activation},
        {{"linear", "conv2d", "conv_transpose2d"}, {"batch_norm"}, Fusion::moments},
    };
    return table;
}

bool fuses(const Layer& first, const Layer& second, Fusion fusion) {
    const auto has = [](const std::vector<std::string>& names, const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    return std::any_of(patterns().begin(), patterns().end(), [&](const Pattern& p) {
        return p.fusion == fusion && has(p.first, first.type) && has(p.second, second.type);
    });
}

// Keeps products of extents far from overflow: builders multiply these by kernels and scales of at most 1024.
void check_size(const Layer& layer, const config::LayerConfig& config) {
    constexpr int64_t most_pixels = 65536, most_values = int64_t(1) << 31;
    const SampleShape& s = layer.out;
    if (s.H > most_pixels || s.W > most_pixels || s.C > most_values ||
        double(s.H) * double(s.W) * double(s.C) > double(most_values))
        throw Error("'" + layer.type + "' makes " + s.str() + " of each sample, more than 2^31 values or 65,536 pixels a side",
                    config.keys.where(), "lower its size");
}

std::vector<Sequence::Step> make_plan(const std::vector<Layer>& layers, bool fuse) {
    std::vector<Sequence::Step> plan;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        Sequence::Step step{.layer = i};
        std::size_t next = i + 1;
        if (fuse && next < layers.size() && fuses(layers[i], layers[next], Fusion::activation)) step.activation = int(next++);
        step.moments = fuse && next < layers.size() && fuses(layers[i], layers[next], Fusion::moments);
        plan.push_back(step);
        i = next - 1;
    }
    return plan;
}

}  // namespace

Sequence build_sequence(const std::vector<config::LayerConfig>& list, const std::string& prefix, SampleShape in,
                        BuildContext& context) {
    Sequence sequence;
    sequence.out = in;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const LayerKind* kind = layer_kind(list[i].type);
        if (!kind || !kind->build) throw Error("unknown layer '" + list[i].type + "'", list[i].keys.where());
        Layer layer;
        layer.type = list[i].type;
        layer.name = prefix + "." + std::to_string(i);
        layer.place = lasting(layer.name + " " + layer.type);
        layer.in = sequence.out;
        layer.out = layer.in;
        kind->build(layer, list[i], context);
        check_size(layer, list[i]);
        ++context.leaf;
        sequence.out = layer.out;
        sequence.layers.push_back(std::move(layer));
    }
    sequence.plan = make_plan(sequence.layers, context.options.fuse);
    return sequence;
}

Tensor Sequence::forward(Tensor x, const Context& context) const {
    Tensor moments;
    for (const Step& step : plan) {
        Fused fused;
        if (step.activation >= 0) fused.act = layers[std::size_t(step.activation)].act;
        fused.moments_in = std::move(moments);
        moments = Tensor();
        if (step.moments && context.training) fused.moments_out = &moments;
        const Place place(layers[step.layer].place);
        x = layers[step.layer].forward(x, context, fused);
        if (context.on_output)
            context.on_output(layers[step.activation >= 0 ? std::size_t(step.activation) : step.layer].place, x);
    }
    return x;
}

}  // namespace gannet
