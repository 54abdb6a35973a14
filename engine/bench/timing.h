// Timing of calls.
#pragma once
#include <functional>

#include "engine/tensor/device.h"

namespace gannet::bench {

// Seconds of one call.
struct Timing {
    double median = 0, best = 0;
};

// Calls f repeatedly for about `seconds`, in at least three samples that are long enough for the clock. A GPU is timed by its own
// events. With 0 seconds: one call, after one to warm up.
Timing measure(Device device, double seconds, const std::function<void()>& f);

}  // namespace gannet::bench
