#pragma once
#include <string>

#include "engine/tensor/device.h"

namespace gannet {

inline constexpr const char* threads_help = "CPU threads; default 0: the usable cores, or fewer if a container has a CPU quota";

// The device that `--device NAME` means: cpu, cuda (GPU 0), cuda:N or auto (GPU 0 if it can be used, else the CPU). It has
// `threads` CPU threads, 0 for the default, and they run. If auto selects the CPU, `why_cpu` receives the reason.
Device choose_device(const std::string& name, int64_t threads, std::string* why_cpu = nullptr);

}  // namespace gannet
