// The training speed of a model, on random images of its size: no data set is read.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/bench/peaks.h"
#include "engine/model/model.h"
#include "engine/nn/cost.h"

namespace gannet::bench {

struct ModelOptions {
    int64_t steps = 0;  // to time; 0: as many as fit into `seconds`, at least 5
    double seconds = 5;
    std::string why_cpu;  // why there is no GPU, to be reported
};

// Seconds of a kind of layer.
struct Family {
    double forward = 0, backward = 0;  // backward: all of grad(), to any order
};

struct ModelReport {
    std::string name, device, processor;
    int threads = 0;
    int64_t batch = 0, images_per_step = 0, parameters = 0, warm_up = 0;
    std::vector<double> seconds;  // of each timed step
    double start = 0;             // from the start of the process to that of the first step
    int64_t resident_bytes = 0;   // the most up to the last timed step
    int64_t device_bytes = 0;     // of the GPU, held by the program
    Flops flops;
    Bytes bytes;
    int launches = 0;  // kernels of a step's graph; 0 on a CPU
    Peaks peaks;
    std::map<std::string, Family> families;  // of one step; empty on a GPU

    double quantile(double q) const;
    double median() const { return quantile(0.5); }
};

// A few batches of noise with the size of the data, which need not exist.
Dataset random_images(const config::GanConfig& config);

ModelReport bench_model(const config::GanConfig& config, Device device, const ModelOptions& options);

std::string text(const ModelReport& report);
json::Value json(const ModelReport& report);

}  // namespace gannet::bench
