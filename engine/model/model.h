// A model file, read and checked: two lists of layers, or a classifier's one, and how to train them. docs/model-format.md is its
// reference.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "engine/model/settings.h"
#include "engine/nn/module.h"
#include "kernels/execution.h"

namespace gannet::config {

// What a GAN and a classifier share.
struct SharedConfig : BuildOptions {
    std::string name;  // "name", or the file's stem
    std::string file;
    Object data, cpu, cuda;
    int64_t batch = 0, steps = 0, epochs = 0;  // steps or epochs is 0
    uint64_t seed = 0;
    int64_t log_every = 0;          // 0: about 1,000 lines a run
    double checkpoint_every = 300;  // seconds
    Numerics numerics() const;      // of cuda.precision, cuda.matmul, cuda.tune and cpu.exact: how a device is to compute
    Value effective;                // the whole file with defaults filled in and lists expanded: config.json
};

struct GanConfig : SharedConfig {
    Object latent, objective, samples, observe;
    std::vector<LayerConfig> generator, discriminator;
    OptimizerConfig generator_optimizer, discriminator_optimizer;
    bool share_scores = true, join_batches = true;
    std::string on_collapse = "warn";  // or "stop"
    bool allow_size_mismatch = false;  // the discriminator takes fakes of another size than the data
    SampleShape latent_shape() const { return {1, 1, latent.integer("size"), true}; }
};

struct ClassifierConfig : SharedConfig {
    std::vector<LayerConfig> classifier;
    OptimizerConfig optimizer;
};

using ModelConfig = std::variant<GanConfig, ClassifierConfig>;
const SharedConfig& shared(const ModelConfig& model);
// The one or the other. Throws Error, which ends in `to_do`, where the file is of the other kind.
GanConfig gan_of(ModelConfig model, const std::string& to_do = "give the model file of a GAN");
ClassifierConfig classifier_of(ModelConfig model, const std::string& to_do = "give the model file of a classifier");

// Throws Error naming path and line, or the setting. Paths in the file count from its folder, those in settings from the working
// folder; ~ is a home folder. In what is read they are absolute.
ModelConfig load_model(const std::string& file, const Settings& settings);
// The same of a run's config.json, where a relative path, which only earlier programs wrote, counts from the working folder.
ModelConfig load_run_config(const std::string& file, const Settings& settings);
// The same of a text, the configuration that a checkpoint holds; `file` names it in messages.
ModelConfig parse_model(const std::string& text, const std::string& file, const Settings& settings);

// What of an effective file decides the numbers of a training: all but the keys that are free_at_resume.
Value identity(const Value& effective);

// Top-level sections in the order of the reference page.
const std::vector<const ObjectSpec*>& model_specs();
// The whole reference page.
std::string model_reference();

}  // namespace gannet::config
