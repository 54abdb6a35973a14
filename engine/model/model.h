// A model file after reading and checking: the lists of layers of a GAN or a classifier, and how to train them.
// docs/model-format.md is the reference.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "data/dataset.h"
#include "engine/model/objective.h"
#include "engine/model/settings.h"
#include "engine/nn/module.h"
#include "kernels/execution.h"

namespace gannet::config {

// The section `data`.
struct DataConfig {
    DatasetOptions images;
    double black = -1, white = 1;  // the values that they become
    bool shuffle = true;
};

// How activations and packed weights are stored.
enum class Storage : uint8_t { fp32, bf16 };

// The section `cuda`, without what is in Numerics.
struct CudaConfig {
    enum class Data : uint8_t { automatic, resident, streamed };
    bool graph = true;
    Data data = Data::automatic;
};

// The keys that a GAN and a classifier share.
struct SharedConfig : BuildOptions {
    std::string name;  // "name", or the file's stem
    std::string file;
    DataConfig data;
    Numerics numerics;     // of compute.precision, cuda.matmul, cuda.tune and cpu.exact: how a device is to compute
    std::string tuned_on;  // the name of the GPU that cuda.tune was measured on; "" without it
    Storage storage = Storage::fp32;
    CudaConfig cuda;
    int64_t batch = 0, steps = 0, epochs = 0;  // steps or epochs is 0
    uint64_t seed = 0;
    int64_t log_every = 0;          // 0: about 1,000 lines a run
    double checkpoint_every = 300;  // seconds
    Value effective;                // the whole file with defaults filled in and lists expanded: config.json

    // The place of a key, "data.range", for errors.
    std::string where(const std::string& path) const;
};

struct LatentConfig {
    enum class Distribution : uint8_t { normal, uniform };
    int64_t size = 100;
    Distribution distribution = Distribution::normal;
    SampleShape shape() const { return {1, 1, size, true}; }
};

struct SamplesConfig {
    int64_t rows = 8, columns = 8;
    int64_t every = 0;              // steps; 0: about 20 grids a run
    bool batch_statistics = false;  // instead of the running ones
    bool min_max = false;           // black and white are the least and the largest value of the grid
};

struct ObserveConfig {
    int64_t every = 0;  // steps; 0: about 50 a run, at least 100 steps apart
};

struct GanConfig : SharedConfig {
    LatentConfig latent;
    Objective objective;
    SamplesConfig samples;
    ObserveConfig observe;
    std::vector<LayerConfig> generator, discriminator;
    OptimizerConfig generator_optimizer, discriminator_optimizer;
    bool share_scores = true, join_batches = true;
    bool stop_on_collapse = false;
    bool allow_size_mismatch = false;  // the discriminator accepts fakes of a different size than the data
};

struct ClassifierConfig : SharedConfig {
    std::vector<LayerConfig> classifier;
    OptimizerConfig optimizer;
};

using ModelConfig = std::variant<GanConfig, ClassifierConfig>;
const SharedConfig& shared(const ModelConfig& model);
// One of the two kinds. Throws Error with the advice `to_do` if the file is of the other kind.
GanConfig gan_of(ModelConfig model, const std::string& to_do = "give the model file of a GAN");
ClassifierConfig classifier_of(ModelConfig model, const std::string& to_do = "give the model file of a classifier");

// Throws Error naming path and line, or the setting. Paths in the file are relative to its folder, paths in settings to the
// working folder; ~ is a home folder. The result has absolute paths.
ModelConfig load_model(const std::string& file, const Settings& settings);
// The same for a run's config.json. Earlier versions wrote relative paths; these are relative to the working folder.
ModelConfig load_run_config(const std::string& file, const Settings& settings);
// The same for a text, the configuration in a checkpoint; messages name it `file`.
ModelConfig parse_model(const std::string& text, const std::string& file, const Settings& settings);

// The part of an effective file that determines a training's results: all keys except those that are free_at_resume.
Value identity(const Value& effective);

// The sections, in the order of docs/model-format.md.
const std::vector<const ObjectSpec*>& model_specs();

}  // namespace gannet::config
