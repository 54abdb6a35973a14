// Memory of steps that a device may record. Between two steps all of it is free, so an eager step and other recordings can use
// the same memory: a trainer needs the memory of one step for any number of recordings.
#pragma once
#include <functional>
#include <memory>

#include "engine/tensor/tensor.h"

namespace gannet {

class Workspace {
public:
    explicit Workspace(Device device);
    ~Workspace();  // destroy its recordings first
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    // The demand of a run: the peak number of blocks by size.
    using Demand = Pool::Counts;

    // Calls `work` with memory from this workspace. When it returns, all its allocations must be free, except those named by
    // keep().
    Demand run(const std::function<void()>& work);
    // Calls `work` and records its kernels instead of running them. `work` must not copy from or to the host or wait, and must
    // not need more memory than `demand`, measured when it ran. A device that does not record (a CPU) returns null without
    // calling it.
    std::unique_ptr<RecordedWork> record(const std::function<void()>& work, const Demand& demand);
    // Keeps a result valid until the next work here.
    void keep(const Tensor& tensor);

private:
    void call(const std::function<void()>& work, bool recording);

    Device device_;
    int region_ = 0;  // of the device's pool; 0 if the device does not record
};

}  // namespace gannet
