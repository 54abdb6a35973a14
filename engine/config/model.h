// A model file, read and checked: two lists of layers and how to train them. docs/model-format.md is its reference.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/config/spec.h"

namespace gannet::config {

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

struct ModelConfig {
    std::string name;  // "name", or the file's stem
    std::string file;
    Object data, latent, objective, init, samples, cpu, cuda;
    std::vector<LayerConfig> generator, discriminator;
    OptimizerConfig generator_optimizer, discriminator_optimizer;
    int64_t batch = 0, steps = 0, epochs = 0;  // steps or epochs is 0
    uint64_t seed = 0;
    int64_t log_every = 0;          // 0: about 1,000 lines a run
    double checkpoint_every = 300;  // seconds
    bool fuse = true;
    Value effective;  // the whole file with defaults filled in and lists expanded: config.json
};

// `settings` are the --set arguments, "key.path=value"; list entries by their number in the file ("generator.3.channels=64").
// A value that is no JSON is taken as text, null takes a key away, `steps` and `epochs` replace each other. Throws Error
// naming path and line, or the --set.
ModelConfig load_model(const std::string& file, const std::vector<std::string>& settings);
// The same of a text, for instance the configuration that a checkpoint holds; `file` names it in messages.
ModelConfig parse_model(const std::string& text, const std::string& file, const std::vector<std::string>& settings);

// The same from a value that was read elsewhere: a checkpoint's effective configuration. `file` is named in errors.
ModelConfig read_model(const Value& value, const std::string& file);

// Top-level sections in the order of the reference page.
const std::vector<const ObjectSpec*>& model_specs();
// The whole reference page.
std::string model_reference();

}  // namespace gannet::config
