// A trained classifier, and what it reads in images.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "engine/network/network.h"

namespace gannet {

// One entry (features: one row) for each image.
struct Readings {
    std::vector<int64_t> labels;     // the likeliest
    std::vector<double> confidence;  // its probability, by softmax
    std::vector<float> features;     // (count, feature_size): what enters the last layer
    int64_t feature_size = 0, classes = 0;
};

// `pixels`: bytes of images of the network's input shape, of which black and white are `low` and `high`.
Readings read_images(const Network& network, const std::vector<uint8_t>& pixels, double low, double high);

class Classifier {
public:
    // Of a run folder or checkpoint file. Throws Error where that holds no classifier. `data`, unless "", is where its data set
    // lies now.
    Classifier(const std::string& path, Device device, const std::string& data = "");

    SampleShape image() const { return network_->in(); }
    const config::ModelConfig& config() const { return config_; }
    const std::string& file() const { return file_; }
    bool was_trained_on(const Dataset& data) const;  // true where that is not known
    Readings read(const std::vector<uint8_t>& pixels) const;

private:
    std::string file_, data_key_;
    config::ModelConfig config_;
    std::unique_ptr<Network> network_;
};

}  // namespace gannet
