// The configurations of networks and optimizers, and the keys of every kind of layer.
#pragma once
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "engine/config/spec.h"
#include "kernels/shapes.h"

namespace gannet {

using OptimizerParameters = std::variant<AdamParameters, RmspropParameters, SgdParameters, LionParameters>;
struct OptimizerKind;
struct LayerKind;  // engine/nn/module.h

namespace config {

// One entry of an expanded list (without `repeat`). Nested lists, as in `residual`, are in `lists` by key.
struct LayerConfig {
    const LayerKind* kind = nullptr;
    Object keys;
    std::map<std::string, std::vector<LayerConfig>> lists;
};

// Calls f for every layer of a list; those of the lists inside a layer come after it.
template <class Layers, class F>
void for_each_layer(Layers& list, const F& f) {
    for (auto& layer : list) {
        f(layer);
        for (auto& [key, inner] : layer.lists) for_each_layer(inner, f);
    }
}

struct OptimizerConfig {
    const OptimizerKind* kind = nullptr;
    double lr = 0;
    OptimizerParameters parameters;
};

// How weights begin.
enum class WeightRule : uint8_t { torch, normal, glorot_uniform, glorot_normal, he_uniform, he_normal };
inline constexpr Choice<WeightRule> weight_rules[] = {{"torch", WeightRule::torch},
                                                      {"normal", WeightRule::normal},
                                                      {"glorot_uniform", WeightRule::glorot_uniform},
                                                      {"glorot_normal", WeightRule::glorot_normal},
                                                      {"he_uniform", WeightRule::he_uniform},
                                                      {"he_normal", WeightRule::he_normal}};

// The section `init`.
struct InitConfig {
    WeightRule conv = WeightRule::torch, linear = WeightRule::torch;
    double std = 0.02;  // of WeightRule::normal
    bool zero_biases = false;
    double gamma_std = 0;
};

// What all layers of a model share.
struct BuildOptions {
    InitConfig init;
    bool fuse = true;
};

}  // namespace config

// Families of layers. A product (matrix product or convolution) can fuse the activation that follows, and compute the moments for
// a batch norm; a norm can fuse the activation; an arrangement does not change values.
enum class Family : uint8_t { product, norm, activation, arrangement, other };

// Properties of a layer that other code asks for instead of comparing names.
struct Traits {
    Family family = Family::other;
    bool linear = false;           // linear in its input, given the batch's statistics or the random numbers
    bool curved = false;           // its slope changes smoothly with the input
    bool couples_samples = false;  // in training, an output depends on the other samples of the batch
    bool stochastic = false;       // in training, it draws random numbers
    bool repeats = false;          // a list that is expanded before building
    ActivationKind activation = ActivationKind::none;
    bool normalises_batch() const { return family == Family::norm && couples_samples; }
};

// An array of the parameters' size that an optimizer keeps, by torch's name.
struct StateSpec {
    std::string name;
    bool nonnegative = false;  // a square root is taken of it
};

// What the program asks about an optimizer. `lr` is a key of each.
struct OptimizerUpdate;
struct OptimizerKind {
    config::ObjectSpec spec;  // its name and its keys
    OptimizerParameters (*parse)(const config::Object& keys);
    // The arrays that it keeps, and one update with them in this order.
    std::vector<StateSpec> (*states)(const OptimizerParameters& parameters);
    void (*update)(const OptimizerParameters& parameters, const OptimizerUpdate& arrays);
};
const std::vector<OptimizerKind>& optimizer_kinds();

// A kind of layer or optimizer by its name, null if there is none; the names of all.
template <class Kind>
const Kind* find_kind(const std::vector<Kind>& kinds, const std::string& name) {
    for (const Kind& kind : kinds)
        if (kind.spec.name == name) return &kind;
    return nullptr;
}
template <class Kind>
std::vector<std::string> names_of(const std::vector<Kind>& kinds) {
    std::vector<std::string> names;
    for (const Kind& kind : kinds) names.push_back(kind.spec.name);
    return names;
}

}  // namespace gannet
