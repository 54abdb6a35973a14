// Cases of the contract's kernels on raw pointers, for what the op table (op_cases.h) cannot test: guards, null arguments,
// optimizers, random draws, data. Every function declared in kernels/contract must have a case here.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tests/op_cases.h"

namespace gannet::tests {

enum class Access { out, updated, in };

struct Block {
    int64_t size;
    Access access = Access::in;
    Draw values = symmetric;
};

struct KernelCase {
    std::string kernel, label;
    std::vector<Block> blocks;  // its arrays, in the order of `run` and `reference`
    std::function<void(Device, const std::vector<real*>&)> run;
    std::function<Lists(const Lists&)> reference;  // all blocks before the call -> written blocks after it
    double ulps = 4, terms = 0;                    // see OpCase
    std::function<void(Lists&)> prepare = {};      // computes inputs that depend on others (outputs, statistics)

    std::string name() const { return kernel + " " + label; }
};

const std::vector<KernelCase>& kernel_cases();

// Calls a kernel of the contract on arrays p and device d.
#define CALL(...) [=](Device d, const std::vector<real*>& p) { RUN(d, __VA_ARGS__); }

// ---- the table's parts, one for each file
void add_elementwise_kernels(std::vector<KernelCase>& cases);
void add_layer_kernels(std::vector<KernelCase>& cases);
void add_training_kernels(std::vector<KernelCase>& cases);

}  // namespace gannet::tests
