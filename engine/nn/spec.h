// What networks and optimizers are built from, and the keys of every kind of layer.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/config/spec.h"

namespace gannet {

namespace config {

// One entry of an expanded list (`repeat` is gone). Nested lists, as in `residual`, are in `lists` by key.
struct LayerConfig {
    std::string type;
    Object keys;
    std::map<std::string, std::vector<LayerConfig>> lists;
};

struct OptimizerConfig {
    std::string type;  // adam, rmsprop, sgd
    double lr = 0;
    Object keys;  // all of that type's
};

// What all layers of a model share.
struct BuildOptions {
    Object init;  // the section `init`
    bool fuse = true;
};

}  // namespace config

// The spec of a layer by its name; null if there is none.
const config::ObjectSpec* layer_spec(const std::string& name);
std::vector<std::string> layer_names();  // in the order of the reference page

}  // namespace gannet
