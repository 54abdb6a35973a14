// Trains a classifier by its configuration: softmax cross-entropy over the labels of its data set.
#pragma once
#include <memory>
#include <vector>

#include "engine/train/trainer.h"

namespace gannet {

// The logged values of a step; reading them waits for the device.
struct ClassifierFigures {
    double loss = 0, accuracy = 0;  // over the batch
    double grad_norm = 0;
};

class ClassifierTrainer : public Trainer {
public:
    // Builds the network, checks it against the data, which must outlive the trainer and have labels, and initialises it.
    ClassifierTrainer(const config::ClassifierConfig& config, const Dataset& data, Device device, Hooks hooks = {});
    ClassifierTrainer(const config::ClassifierConfig& config, Dataset&& data, Device device, Hooks hooks = {}) = delete;

    const config::ClassifierConfig& config() const override { return config_; }
    std::vector<Part> parts() override { return {{network_, *optimizer_}}; }
    int64_t images_before(int64_t step) const override { return step * config_.batch; }
    ClassifierFigures figures() const;
    // The accuracy on the images of `data`.
    double accuracy(const Dataset& data) const;
    const Network& network() const { return network_; }

private:
    enum Result { of_loss, of_scores, of_labels };  // places in results()

    std::vector<Tensor> updates(int plan, StepObserver& observer) override;

    config::ClassifierConfig config_;
    Network network_;
    std::unique_ptr<Optimizer> optimizer_;
    Hooks hooks_;
    Tensor one_;
};

// The number of the largest of each row's `cols` values.
std::vector<int64_t> largest(const std::vector<real>& rows, int64_t cols);

}  // namespace gannet
