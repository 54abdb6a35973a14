// The time of steps by kind of layer.
#pragma once
#include <functional>
#include <map>
#include <string>

namespace gannet::bench {

struct Family {
    double forward = 0, backward = 0;  // seconds; backward: all of grad(), to any order
};

// Runs `work` once and adds up the time during which each range (kernels/place.h) is the innermost one: "conv2d", "linear", ...,
// each with its fused activation, "optimizer", and "rest" for the others (draws, data, losses, penalty). For devices that compute
// before a call returns, as CPUs do.
std::map<std::string, Family> profile(const std::function<void()>& work);

}  // namespace gannet::bench
