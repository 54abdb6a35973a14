// A record of all inputs and outputs of a step, in torch's layouts, so that other programs can recompute it.
#pragma once
#include <string>

#include "engine/train/state.h"
#include "engine/train/step_observer.h"

namespace gannet {

class Trace : public StepObserver, public PassObserver {
public:
    // Names added after this call begin with "sS." for this step. Before it, names are unchanged.
    void begin_step(int64_t step);
    int64_t step_bytes() const;  // of the arrays of the last step; 0 before it
    // Images or vectors of `sample`'s shape, (N, C, H, W) in the file.
    void images(const std::string& name, const Tensor& value, const SampleShape& sample) override;
    void values(const std::string& name, const Tensor& value) override;  // as they are
    void gradients(const std::string& prefix, const Network& network) override;
    PassObserver* passes(const std::string& prefix) override {
        passes_ = prefix;
        return this;
    }
    void mask(const Module& module, const Pass& pass, const std::function<Tensor()>& draw) override;
    void state(const std::string& prefix, const Network& network, const Optimizer& optimizer);
    Safetensors content;

private:
    void add(Array array);  // with its values now

    std::string step_;
    std::string passes_;          // the prefix of the batch whose networks run
    std::size_t step_begin_ = 0;  // its first array
};

// Throws LackOfMemory where the free memory does not hold `bytes` more of a trace.
void check_trace_memory(double bytes, const std::string& file);

// Whether a file is a complete trace.
bool is_trace(const std::string& path);
// Throws Error if a trace at `path` would replace a file that is not a trace. Does nothing if `path` is empty.
void check_trace_place(const std::string& path);

}  // namespace gannet
