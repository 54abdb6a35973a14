#include "base/error.h"
#include "engine/nn/registry.h"
#include "kernels/place.h"

namespace gannet {
namespace {

// Which neighbours form one op: `first` also does the work of `second`.
bool takes_activation(const Module& first, const Module& second) {
    return second.traits.family == Family::activation &&
           (first.traits.family == Family::product ||
            (first.traits.family == Family::norm && !needs_input(second.traits.activation)));
}
bool makes_moments(const Module& first, const Module& second) {
    return first.traits.family == Family::product && second.traits.normalises_batch();
}

// Keeps products of extents far from overflow: constructors multiply these by kernels and scales of at most 1024.
void check_size(const Module& layer, const config::LayerConfig& config) {
    constexpr int64_t most_pixels = 65536, most_values = int64_t(1) << 31;
    const SampleShape& s = layer.out;
    if (s.H > most_pixels || s.W > most_pixels || s.C > most_values ||
        double(s.H) * double(s.W) * double(s.C) > double(most_values))
        throw Error("'" + layer.type + "' outputs " + s.str() + " for each sample, more than 2^31 values or 65,536 pixels a side",
                    config.keys.where(), "lower its size");
}

std::vector<Sequence::Step> make_plan(const std::vector<std::unique_ptr<const Module>>& layers, bool fuse) {
    std::vector<Sequence::Step> plan;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        Sequence::Step step{.layer = i};
        std::size_t next = i + 1;
        if (fuse && next < layers.size() && takes_activation(*layers[i], *layers[next])) step.activation = int(next++);
        step.moments = fuse && next < layers.size() && makes_moments(*layers[i], *layers[next]);
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
        const LayerKind& kind = *list[i].kind;
        sequence.layers.push_back(kind.make({kind, prefix + "." + std::to_string(i), sequence.out, list[i], context}));
        const Module& module = *sequence.layers.back();
        check_size(module, list[i]);
        ++context.leaf;
        sequence.out = module.out;
    }
    sequence.plan = make_plan(sequence.layers, context.options.fuse);
    return sequence;
}

Tensor Sequence::forward(const Inputs& inputs, const Pass& pass) const {
    Inputs at = inputs;
    Tensor moments;
    for (const Step& step : plan) {
        const Module &module = *layers[step.layer], &last = step.activation >= 0 ? *layers[std::size_t(step.activation)] : module;
        Fused fused;
        if (step.activation >= 0) fused.act = last.act;
        fused.moments_in = std::move(moments);
        moments = Tensor();
        if (step.moments && pass.training) fused.moments_out = &moments;
        const Place place(module.place);
        at.x = module.forward(at, pass, fused);
        if (pass.observer) pass.observer->output(last, at.x);
    }
    return at.x;
}

}  // namespace gannet
