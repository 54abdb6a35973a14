// How much memory and time a training will take, before it begins.
#pragma once
#include <string>

#include "engine/model/model.h"
#include "engine/nn/module.h"
#include "engine/tensor/device.h"

namespace gannet {

// What measured steps say of a step with the full batch. Where that would take long, steps with two smaller batches are measured,
// and a line through them gives the rest.
struct StepEstimate {
    int64_t small = 0, large = 0;  // the batches that were measured; equal, and the full one, where it is small enough
    double seconds = 0;
    double bytes = 0;  // of networks, gradients, optimizers and whatever a step holds at once
};

// Trains copies of the networks on random images of this shape, for some tenths of a second.
StepEstimate estimate_step(const config::ModelConfig& config, const SampleShape& image, Device device);

// The steps that a configuration asks for, with so many images; 0 where that depends on a number of images that is not known (0).
int64_t planned_steps(const config::ModelConfig& config, int64_t images);

// The estimate as lines for a user. `images`: how many there are, 0 if that is not known.
std::string estimate_text(const config::ModelConfig& config, const SampleShape& image, int64_t images, Device device);

}  // namespace gannet
