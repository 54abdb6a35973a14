// What checks before a training ask of the keys of layers.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/nn/network.h"

namespace gannet {

// What a norm over the batch adds to the variance; 0 of other layers.
double batch_norm_eps(const config::LayerConfig& layer);

// For a network whose output has another size than the image: the place of the entry of `list` that needs another output padding,
// or of the list where several lack theirs, and what to write there; "" where neither helps.
std::pair<std::string, std::string> output_padding_advice(const Network& network, const std::vector<config::LayerConfig>& list,
                                                          const SampleShape& image, const config::BuildOptions& options);

}  // namespace gannet
