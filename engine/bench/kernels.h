// The speed of each kernel at the sizes of GANs.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/bench/peaks.h"
#include "engine/tensor/device.h"

namespace gannet::bench {

// The arguments of a case's call: its arrays on the device, filled with numbers between 0.05 and 0.95.
struct Call {
    Device device;
    std::vector<real*> p;
    Counters* counters;
    OptimizerState* state;
};

using Work = std::function<void(const Call&)>;

struct Array {
    int64_t size;       // in reals
    double passes = 1;  // how often a call moves it: 2 if it is read and written
};

// Another implementation of the same operation on the same arrays, to compare a kernel with.
struct Baseline {
    std::string name;  // "naive" (plain loops), "oneDNN", "cuBLAS"
    bool on_gpu = false;
    std::function<std::function<void()>(const Call&)> prepare;  // the call to time; empty if it does not support the case
    double part = 1;                                            // share of the case's work in one call, for slow baselines
};

struct KernelCase {
    std::string kernel, shape;
    std::vector<Array> arrays;
    double flops = 0;  // of the formula: additions and multiplications, 0 where functions or random bits are most of it
    Work run;
    std::vector<Baseline> baselines = {};

    std::string name() const { return kernel + " " + shape; }
    double bytes() const;
};

// The table: every kernel of the contract at the shapes of models/. Matrix products and convolutions come
// as forward pass, data gradient and weight gradient of each layer.
const std::vector<KernelCase>& kernel_cases();

struct KernelResult {
    const KernelCase* kernel_case;
    double seconds = 0;                       // of one call, the median
    double percent = 0;                       // share of the roofline; 0: unknown
    std::map<std::string, double> baselines;  // seconds of one call, by name
    std::string bound;                        // the bound of the roofline: "FMA", or a level of memory
};

// Measures one case for about `seconds`.
KernelResult bench_kernel(const KernelCase& c, Device device, const Peaks& peaks, double seconds);

// The names of the baselines in the table's order: those that the program was built with and the device can run.
std::vector<std::string> baselines_on(Device device);
std::string kernel_header(Device device);
std::string text(const KernelResult& result, Device device);
json::Value json(const KernelResult& result);

// ---- the table's parts, one for each file
// Calls a kernel with the arrays u.p of a Call u.
#define CALL(...) [=](const Call& u) { RUN(u.device, __VA_ARGS__); }

// A plain loop as a baseline.
Baseline naive_baseline(Work run, double part = 1);

// Adds cases of one shape to the table.
struct CasesOf {
    std::vector<KernelCase>& cases;
    std::string shape;
    // `naive`: a plain loop as a baseline, if there is one.
    void add(const char* kernel, std::vector<Array> arrays, double flops, Work run, Work naive = {}) const;
};

void add_linear_cases(std::vector<KernelCase>& cases);
void add_elementwise_cases(std::vector<KernelCase>& cases);
void add_training_cases(std::vector<KernelCase>& cases);

}  // namespace gannet::bench
