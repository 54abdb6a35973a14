// Who computes a model's matrix products fastest on this GPU.
#pragma once
#include "engine/model/model.h"
#include "engine/tensor/device.h"

namespace gannet::bench {

// Measures every product of a training step, each way for about `seconds`, as it is and in the step's precision: what the key
// cuda.tune takes. Throws Error on a CPU, and where there is no cuBLAS.
json::Value tune(const config::GanConfig& config, Device device, double seconds);
std::string tune_text(const json::Value& table);

}  // namespace gannet::bench
