// Errors that can be found before the first step.
#pragma once
#include <string>
#include <vector>

#include "engine/model/model.h"
#include "engine/nn/network.h"

namespace gannet {

// Throws for networks that cannot work: shapes that do not fit the data, a critic without exactly one score. Conflicts between
// keys are found when the file is read (engine/model/checks.cpp).
void check_networks(const config::GanConfig& config, const Network& generator, const Network& discriminator,
                    const SampleShape& image);

// Throws if a lower bound of a training step's memory exceeds the device's memory.
void check_memory(const config::GanConfig& config, const Network& generator, const Network& discriminator, Device device);

// Warnings about probable mistakes; each line names the place and the key to change.
std::vector<std::string> warnings(const config::GanConfig& config);

}  // namespace gannet
