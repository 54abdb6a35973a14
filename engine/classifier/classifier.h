// A trained classifier, and its predictions.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/nn/network.h"
#include "engine/train/checkpoint.h"

namespace gannet {

// One entry per image (features: one row).
struct Predictions {
    std::vector<int64_t> labels;     // the likeliest
    std::vector<double> confidence;  // its probability, by softmax
    std::vector<float> features;     // (count, feature_size): what enters the last layer
    int64_t feature_size = 0, classes = 0;
};

enum class Keep { labels, features };  // labels: no features, which take much memory

// `pixels`: bytes of images of the network's input shape, with `low` and `high` for black and white. Throws LackOfMemory where
// memory does not hold the features of all images.
Predictions predict(const Network& network, const std::vector<uint8_t>& pixels, double low, double high,
                    Keep keep = Keep::features, const LoadProgress& progress = {});

class Classifier {
public:
    // Loads a classifier from a run folder or checkpoint file. Throws Error if it holds no classifier.
    Classifier(const std::string& path, Device device);

    SampleShape image() const { return network_->in(); }
    const config::ClassifierConfig& config() const { return config_; }
    const std::string& file() const { return file_; }
    const std::vector<std::string>& warnings() const { return warnings_; }
    // The key of its training images and labels (data_key in engine/train/trainer.h); "" if unknown.
    const std::string& data_key() const { return data_key_; }
    Predictions predict(const std::vector<uint8_t>& pixels, const LoadProgress& progress = {}) const;

private:
    std::string file_, data_key_;
    std::vector<std::string> warnings_;
    config::ClassifierConfig config_;
    std::unique_ptr<Network> network_;
};

}  // namespace gannet
