// The roofline: a kernel can do no better than the slower of its multiply-adds and its bytes.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/tensor/device.h"

namespace gannet::bench {

struct Peaks {
    struct Rate {
        std::string name;
        double flops = 0;  // a second; a multiply-add is two
    };
    // Memory or a cache: arrays that fit into `bytes` together move at `bytes_per_second`.
    struct Level {
        std::string name;
        double bytes = 0, bytes_per_second = 0;
    };
    double flops = 0;           // of the device; 0: unknown
    std::vector<Rate> rates;    // of all instruction sets of the machine
    std::vector<Level> levels;  // the smallest first; the last takes everything

    const Level& level(double bytes) const;
    // How long moving `bytes` takes at least: as much as fits into a cache at its rate, the rest at the next level's. A sweep
    // again and again over arrays that are a little larger than a cache finds a part of them there.
    double seconds(double bytes) const;
};

// Of a CPU: measured on all threads that the engine uses, in under a second. Of a GPU: by its clocks.
Peaks find_peaks(Device device);

std::string text(const Peaks& peaks);
json::Value json(const Peaks& peaks);

}  // namespace gannet::bench
