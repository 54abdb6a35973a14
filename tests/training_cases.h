// Small training runs, shared by tests of training.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/config/model.h"

namespace gannet::tests {

// The nets of the golden runs: vanilla, dcgan or wgan at reduced width and batch.
inline config::ModelConfig golden_config(const std::string& model, const std::vector<std::string>& settings = {}) {
    return config::load_model("tests/goldens/train_" + model + ".config.json", settings);
}

// Any model of models/ at reduced width and batch.
inline config::ModelConfig small_config(const std::string& model, std::vector<std::string> settings = {}) {
    if (model != "keras-mlp") return golden_config(model, settings);
    for (const char* setting : {"batch=8", "generator.0.units=16", "generator.3.units=32", "generator.6.units=64",
                                "discriminator.1.units=64", "discriminator.3.units=32"})
        settings.push_back(setting);
    return config::load_model("models/" + model + ".json", settings);
}

// A small set with the first images: enough where only bookkeeping is tested.
inline const Dataset& few_images() {
    static const Dataset data = load_dataset({.first = 100});
    return data;
}

}  // namespace gannet::tests
