// Information about layers' keys for the checks before a training.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/nn/network.h"

namespace gannet {

// The eps that a batch norm adds to the variance; 0 for other layers.
double batch_norm_eps(const config::LayerConfig& layer);

// For a network with an output of a different size than the image: the place of the entry of `list` that needs another output
// padding, or of the list if several do, and what to write there; "" if neither helps.
std::pair<std::string, std::string> output_padding_advice(const Network& network, const std::vector<config::LayerConfig>& list,
                                                          const SampleShape& image, const config::BuildOptions& options);

}  // namespace gannet
