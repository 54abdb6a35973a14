// Errors that can be found before the first step.
#pragma once
#include <string>
#include <vector>

#include "engine/gan/plan.h"

namespace gannet {

// Throws for networks that cannot work: shapes that do not fit the data, a critic without exactly one score, or whose scores are
// not what its loss takes. Conflicts between keys are found when the file is read (engine/model/checks.cpp).
void check_networks(const config::GanConfig& config, const Network& generator, const Network& discriminator,
                    const SampleShape& image);

// The bytes that the grid of samples takes at least while it is drawn and written: on the device and on the host.
struct GridMemory {
    double device = 0, host = 0;
};
GridMemory grid_memory(const config::GanConfig& config, const Network& generator, const Device& device);

// Throws if a lower bound of the memory of a training step, or of the grid of samples, exceeds the device's or the free memory.
void check_memory(const config::GanConfig& config, const Network& generator, const Network& discriminator, Device device);

// Warnings about probable mistakes; each line names the place and the key to change.
std::vector<std::string> warnings(const config::GanConfig& config, const Network& generator, const Network& discriminator);

}  // namespace gannet
