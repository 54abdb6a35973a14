// Memory of steps that a device may record. Between two steps all of it is free, so an eager step may use what a recorded one
// uses, and so may the recording of another kind of step: a trainer needs the memory of one step, however many recordings it has.
#pragma once
#include <functional>
#include <memory>

#include "engine/tensor/tensor.h"

namespace gannet {

class Workspace {
public:
    explicit Workspace(Device device);
    ~Workspace();  // what it recorded is gone before
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    // What a run needed: blocks at once, by size.
    using Demand = Pool::Counts;

    // Calls `work`, whose memory comes from here. When it returns, all that it allocated must be free again, but what keep()
    // named.
    Demand run(const std::function<void()>& work);
    // Calls `work`, whose kernels are recorded instead of run. It neither copies from or to the host nor waits, and needs no more
    // memory than `demand` says, from when it was run. A device that does not record (a CPU) returns null and has not called it.
    std::unique_ptr<RecordedWork> record(const std::function<void()>& work, const Demand& demand);
    // For a result: it stays valid until the next work here.
    void keep(const Tensor& tensor);

private:
    void call(const std::function<void()>& work, bool recording);

    Device device_;
    int region_ = 0;  // of the device's pool; 0 where the device does not record
};

}  // namespace gannet
