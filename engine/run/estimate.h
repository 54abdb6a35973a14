// Estimates the memory and time of a training before it starts.
#pragma once
#include <string>

#include "engine/model/model.h"
#include "engine/tensor/device.h"

namespace gannet {

// Lines for the user, from a few measured steps on random images of this shape. `images`: their number, 0 if unknown.
std::string estimate_text(const config::GanConfig& config, const SampleShape& image, int64_t images, Device device);
std::string estimate_text(const config::ClassifierConfig& config, const SampleShape& image, int64_t images, Device device);

}  // namespace gannet
