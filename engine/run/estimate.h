// How much memory and time a training will take, before it begins.
#pragma once
#include <string>

#include "engine/model/model.h"
#include "engine/tensor/device.h"

namespace gannet {

// Lines for a user, from a few measured steps on random images of this shape. `images`: how many there are, 0 if that is not
// known.
std::string estimate_text(const config::GanConfig& config, const SampleShape& image, int64_t images, Device device);
std::string estimate_text(const config::ClassifierConfig& config, const SampleShape& image, int64_t images, Device device);

}  // namespace gannet
