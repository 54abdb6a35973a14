// Builds the networks of a configuration that are small enough to be built for each input.
#pragma once
#include <vector>

#include "engine/nn/network.h"

namespace gannet::fuzz {

// Throws Error, before it allocates memory, if the network would have more than a million parameters.
Network built(Net net, const std::vector<config::LayerConfig>& list, SampleShape in, SampleShape image,
              const config::BuildOptions& options);

}  // namespace gannet::fuzz
