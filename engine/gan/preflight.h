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

// The bytes that the grid of samples takes while it is drawn and written: on the device and on the host. Of a GPU, at least. On
// the host the pool keeps the outputs of all layers: each distinct size counts once, and the largest, which a layer may read and
// write, twice.
struct GridMemory {
    double device = 0, host = 0;
};
GridMemory grid_memory(const config::GanConfig& config, const Network& generator, const Device& device);

// Throws if a lower bound of the memory of a training step, or what the grid of samples takes with it, exceeds the device's or
// the free memory. The grid may be refused although less would do (375 MB passed where the estimate was 412 MB): the pool
// returns blocks when memory is short.
void check_memory(const config::GanConfig& config, const Network& generator, const Network& discriminator, Device device);

// Warnings about probable mistakes; each line names the place and the key to change.
std::vector<std::string> warnings(const config::GanConfig& config, const Network& generator, const Network& discriminator);

}  // namespace gannet
