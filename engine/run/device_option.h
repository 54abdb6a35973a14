#pragma once
#include <string>

#include "engine/tensor/device.h"

namespace gannet {

// The device that `--device NAME` means: cpu, cuda or auto (a usable GPU, else the CPU). `threads` > 0 sets the CPU's threads.
Device choose_device(const std::string& name, int64_t threads);

}  // namespace gannet
