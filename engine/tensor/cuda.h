// GPUs. cuda.cpp is the only file of the engine that uses the CUDA runtime; it is built only with the CUDA backend.
#pragma once
#include <string>

#include "engine/tensor/device.h"

namespace gannet::cuda {

// Why GPU number `index` cannot be used, in one line ("no NVIDIA driver is installed"), "" if it can.
std::string unusable(int index);
Hardware& gpu(int index);  // one that can be used

}  // namespace gannet::cuda
