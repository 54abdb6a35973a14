// The state of a network and its optimizer as named arrays, in torch's layouts and names. Checkpoints and traces share them.
#pragma once
#include <string>
#include <vector>

#include "base/error.h"
#include "base/safetensors.h"
#include "engine/nn/network.h"
#include "engine/nn/optimizer.h"

namespace gannet {

bool all_finite(const float* values, std::size_t count);
bool all_finite(const double* values, std::size_t count);
// The error for an array of a file.
Error not_finite(const std::string& name, const std::string& file);

// A tensor as an array of a file: in torch's layout, F32 or F64 like the build's `real`. It has the tensor's values at the time
// when its pieces are taken.
Array to_array(const std::string& name, const Tensor& value, const TransposeShape& layout, const Shape& torch_shape);

// Parameters ("generator.0.weight"), running statistics ("generator.1.running_mean") and, with an optimizer, its state
// ("optimizer.generator.0.weight.exp_avg", "optimizer.generator.step"), each name after `prefix`.
void append_state(std::vector<Array>& arrays, const std::string& prefix, const Network& network, const Optimizer* optimizer);

// The reverse. Every array must exist with its shape and finite values; errors name `file`. Reads F32 and F64.
void load_state(const Safetensors& content, const std::string& file, const Network& network, Optimizer* optimizer);

}  // namespace gannet
