// Finds the fastest implementation of a model's matrix products on this GPU.
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

// Measures every matrix product of a training step with each implementation for about `seconds`, in the step's precision. Returns
// a table for the key cuda.tune. Throws Error on a CPU, and if there is no cuBLAS.
Tuning tune(const config::GanConfig& config, Device device, double seconds);
json::Value json(const Tuning& tuning);  // what the file holds
std::string text(const Tuning& tuning);

}  // namespace gannet::bench
