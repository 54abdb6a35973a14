// A record of all that went into and came out of a step, in torch's layouts, so that anyone can recompute it elsewhere.
#pragma once
#include <string>

#include "engine/train/state.h"

namespace gannet {

class Trace {
public:
    // The names that follow are of this step: they begin with "sS.". Before, they are as given.
    void begin_step(int64_t step) { step_ = "s" + std::to_string(step) + "."; }
    // Images or vectors of `sample`'s shape, (N, C, H, W) in the file.
    void images(const std::string& name, const Tensor& value, const SampleShape& sample);
    void values(const std::string& name, const Tensor& value);  // as they are
    void gradients(const std::string& prefix, const Network& network);
    void state(const std::string& prefix, const Network& network, const Optimizer& optimizer) {
        append_state(content.arrays, step_ + prefix, network, &optimizer);
    }
    Safetensors content;

private:
    std::string step_;
};

// Whether a file is a complete trace.
bool is_trace(const std::string& path);

}  // namespace gannet
