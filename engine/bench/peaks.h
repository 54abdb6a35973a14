// The roofline: a kernel takes at least the longer of the times for its FMA instructions and for its bytes.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/tensor/device.h"

namespace gannet::bench {

struct Peaks {
    struct Rate {
        std::string name;
        double flops = 0;  // per second; a multiply-add counts as two
    };
    // Memory or a cache: arrays that fit into `bytes` together move at `bytes_per_second`.
    struct Level {
        std::string name;
        double bytes = 0, bytes_per_second = 0;
    };
    double flops = 0;           // of the device; 0: unknown
    std::vector<Rate> rates;    // of all instruction sets of the machine
    std::vector<Level> levels;  // smallest first; the last has no limit

    const Level& level(double bytes) const;
    // The least time to move `bytes`: the part that fits into a cache at its rate, the rest at the rate of the next level,
    // because repeated sweeps over arrays slightly larger than a cache still hit it for a part.
    double seconds(double bytes) const;
};

// Of a CPU: measured on all threads that the engine uses, in under a second. Of a GPU: by its clocks.
Peaks find_peaks(Device device);

std::string text(const Peaks& peaks);
json::Value json(const Peaks& peaks);

}  // namespace gannet::bench
