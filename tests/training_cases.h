// Small training configurations shared by tests.
#pragma once
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/gan/plan.h"
#include "engine/model/model.h"
#include "engine/train/checkpoint.h"
#include "tests/threads.h"

namespace gannet::tests {

// The networks of the golden runs: vanilla, dcgan or wgan with reduced width and batch.
inline config::GanConfig golden_config(const std::string& model, const std::vector<std::string>& settings = {}) {
    return config::gan_of(config::load_model("tests/goldens/train_" + model + ".config.json", settings));
}

// Whether a batch of the discriminator is scored this way.
inline bool has(const gan::Plan& plan, gan::Scores scores) {
    for (const gan::Update& update : plan.updates)
        for (const gan::Batch& batch : update.batches)
            if (update.net == Net::discriminator && batch.scores == scores) return true;
    return false;
}

// A trainer's checkpoint with the values of its arrays now.
inline Safetensors state_of(Trainer& trainer) {
    Safetensors content = checkpoint_of(trainer, {});
    for (Array& array : content.arrays) array.load();
    return content;
}

// Whether two trainers have the same state, byte for byte.
inline void check_same_state(Trainer& a, Trainer& b) {
    const Safetensors ours = state_of(a), theirs = state_of(b);
    for (const Array& array : ours.arrays) {
        CAPTURE(array.name);
        REQUIRE(theirs.find(array.name));
        CHECK_FALSE((array.data.empty() && array.bytes() > 0));
        CHECK(theirs.find(array.name)->data == array.data);
    }
}

// Any GAN of models/ with reduced width and batch.
inline config::GanConfig small_config(const std::string& model, std::vector<std::string> settings = {}) {
    using Settings = std::vector<std::string>;
    static const std::map<std::string, Settings> smaller = {
        {"keras-mlp",
         {"batch=8", "generator.0.units=16", "generator.3.units=32", "generator.6.units=64", "discriminator.1.units=64",
          "discriminator.3.units=32"}},
        {"wgan-clip",
         {"batch=8", "generator.0.units=16", "generator.2.units=16", "generator.5.units=32", "generator.8.units=64",
          "discriminator.1.units=64", "discriminator.3.units=32"}},
        {"dcgan64",
         {"batch=4", "generator.0.channels=32", "generator.3.channels=16", "generator.6.channels=8", "generator.9.channels=8",
          "discriminator.0.channels=8", "discriminator.2.channels=8", "discriminator.5.channels=16",
          "discriminator.8.channels=32"}},
        {"wgan-gp64",
         {"batch=4", "generator.0.channels=32", "generator.3.channels=16", "generator.6.channels=8", "generator.9.channels=8",
          "discriminator.0.channels=8", "discriminator.2.channels=8", "discriminator.4.channels=16",
          "discriminator.6.channels=32"}}};
    const auto found = smaller.find(model);
    if (found == smaller.end()) return golden_config(model, settings);
    settings.insert(settings.begin(), found->second.begin(), found->second.end());
    return config::gan_of(config::load_model("models/" + model + ".json", settings));
}

inline config::ClassifierConfig small_classifier(std::vector<std::string> settings = {}) {
    settings.insert(settings.begin(),
                    {"batch=50", "classifier.0.channels=8", "classifier.2.channels=8", "classifier.5.units=16"});
    return config::classifier_of(config::load_model("models/classifier-mnist.json", settings));
}

// The first images of MNIST, for tests that need no more.
inline const Dataset& few_images() {
    static const Dataset data = load_dataset({.first = 100}, threads());
    return data;
}
// The same for models of 64x64 colour images.
inline const Dataset& few_colour_images() {
    static const Dataset data = load_dataset({.size = 64, .first = 20, .channels = 3}, threads());
    return data;
}

}  // namespace gannet::tests
