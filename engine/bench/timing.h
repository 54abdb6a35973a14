// How long calls take.
#pragma once
#include <functional>

#include "engine/tensor/device.h"

namespace gannet::bench {

// Waits until the device has done all that it was given.
void wait(Device device);

// Seconds of one call.
struct Timing {
    double median = 0, best = 0;
};

// Calls f again and again for about `seconds`, in samples that are long enough for the clock, at least three. A GPU is timed by
// its own events. With 0 seconds: one call, after one to warm up.
Timing measure(Device device, double seconds, const std::function<void()>& f);

}  // namespace gannet::bench
