// Warnings about probable mistakes in a model file: common ones of people who train GANs from tutorials.
#include <algorithm>

#include "engine/gan/preflight.h"
#include "engine/nn/advice.h"
#include "engine/nn/module.h"

namespace gannet {
namespace {

using Layers = std::vector<config::LayerConfig>;

struct Warnings {
    std::vector<std::string> lines;
    void operator()(const std::string& what, const std::string& where, const std::string& to_do) {
        const std::string line = what + " (" + where + "): " + to_do;
        // a place in a `repeat` occurs once per repetition
        if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
    }
};

// The activation at the end of a list, ignoring layers that only rearrange values.
const ActivationRow& last_activation(const Network& network) {
    const auto& layers = network.layers().layers;
    for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
        if (const Traits& traits = (*layer)->traits; traits.family != Family::arrangement) return row_of(traits.activation);
    return row_of(ActivationKind::none);
}

// Two linear maps in a row are one linear map with more parameters.
void affine_pairs(const Sequence& sequence, const Layers& list, Warnings& warn) {
    bool affine = false;
    std::string norm;  // between them
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto& layer = sequence.layers[i];
        const Traits& traits = layer->traits;
        if (traits.family == Family::product) {
            if (affine)
                warn(!norm.empty() ? "two affine layers with only " + norm + " between them"
                                   : "two affine layers with nothing between them",
                     list[i].keys.where(), "put an activation between them");
            affine = true, norm.clear();
        } else if (traits.linear) {
            if (traits.family == Family::norm) norm = layer->type;
        } else {
            affine = false;
        }
        for (const Child& child : layer->children) affine_pairs(child.layers, list[i].lists.at(child.name), warn);
    }
}

// Calls f for every module and its entry in the model file.
template <class F>
void for_each_entry(const Sequence& sequence, const Layers& list, const F& f) {
    for (std::size_t i = 0; i < list.size(); ++i) {
        f(*sequence.layers[i], list[i]);
        for (const Child& child : sequence.layers[i]->children) for_each_entry(child.layers, list[i].lists.at(child.name), f);
    }
}

void penalised_critic(const config::GanConfig& config, const Network& discriminator, Warnings& warn) {
    for_each_entry(discriminator.layers(), config.discriminator, [&](const Module& layer, const config::LayerConfig& entry) {
        if (layer.traits.couples_samples)
            warn(
                layer.type + " in a critic with a gradient penalty couples samples, but the penalty assumes per-sample gradients",
                entry.keys.where(), "use layer_norm, or no normalisation");
        if (layer.traits.stochastic)
            warn(layer.type + " in a critic with a gradient penalty makes the penalty noisy", entry.keys.where(), "remove it");
    });
    const Objective& objective = config.objective;
    if (objective.clip)
        warn("a gradient penalty and weight clipping together", config.where("objective.weight_clip"), "choose one");
    if (objective.penalty->norm == Penalty::Norm::channel)
        warn("the penalty's norm is taken over the channels of each pixel", config.where("objective.gradient_penalty.norm"),
             "use \"sample\", which bounds the slope of the critic");
}

void output_range(const config::GanConfig& config, const Network& generator, Warnings& warn) {
    const double black = config.data.black, white = config.data.white;
    const ActivationRow& last = last_activation(generator);
    const std::string ends = std::string("the generator ends in ") + last.name;
    if (last.low == -1 && last.high == 1 && black >= 0)
        warn(ends + ", but the data lie in [" + config::number_text(black) + ", " + config::number_text(white) + "]",
             config.where("data.range"), "set data.range to [-1, 1], or end with sigmoid");
    if (last.low > black)
        warn(ends + ", but the data have values below " + config::number_text(last.low), config.where("data.range"),
             "set data.range to [0, 1], or end with tanh");
}

}  // namespace

std::vector<std::string> warnings(const config::GanConfig& config, const Network& generator, const Network& discriminator) {
    Warnings warn;
    const Objective& objective = config.objective;
    if (objective.penalty) penalised_critic(config, discriminator, warn);
    if (objective.loss->needs_bound && !objective.penalty && !objective.clip)
        warn("the loss '" + std::string(objective.loss->name) + "' without gradient_penalty or weight_clip",
             config.where("objective.loss"), "add one: nothing else constrains the critic");
    for (const Layers* list : {&config.generator, &config.discriminator}) {
        config::for_each_layer(*list, [&](const config::LayerConfig& layer) {
            if (const double eps = batch_norm_eps(layer); eps > 0.1)
                warn(layer.kind->spec.name + " with eps " + json::dump(eps, -1), layer.keys.where("eps"),
                     "0.8 is probably Keras's momentum; use 1e-5, and \"momentum\": 0.2");
        });
    }
    affine_pairs(generator.layers(), config.generator, warn);
    affine_pairs(discriminator.layers(), config.discriminator, warn);
    output_range(config, generator, warn);
    if (config.allow_size_mismatch)
        warn("generated images may differ in size from the data, so D can distinguish them by size alone", "allow_size_mismatch",
             "omit it: size mismatches are then errors");
    return warn.lines;
}

}  // namespace gannet
