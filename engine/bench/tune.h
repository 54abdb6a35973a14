// Who computes a model's matrix products fastest on this GPU.
#pragma once
#include <string>
#include <vector>

#include "engine/model/model.h"
#include "engine/tensor/device.h"

namespace gannet::bench {

struct Tuning {
    struct Product {
        TunedProduct product;
        double own = 0, cublas = 0;  // seconds of the project's kernel and of cuBLAS's
    };
    std::string gpu;
    Precision precision = Precision::fp32;
    std::vector<Product> products;
};

// Measures every product of a training step, each way for about `seconds`, as it is and in the step's precision: what the key
// cuda.tune takes. Throws Error on a CPU, and where there is no cuBLAS.
Tuning tune(const config::GanConfig& config, Device device, double seconds);
json::Value json(const Tuning& tuning);  // what the file holds
std::string text(const Tuning& tuning);

}  // namespace gannet::bench
