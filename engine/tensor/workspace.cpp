#include "engine/tensor/workspace.h"

#include <stdexcept>
#include <utility>

namespace gannet {
namespace {

// For a device that records; null otherwise.
Pool* pool_of(const Device& device) { return device.hardware().records() ? &device.hardware().pool() : nullptr; }

class Within {
public:
    Within(Pool& pool, int region, bool recording) : pool_(pool) { pool.enter(region, recording); }
    ~Within() { pool_.leave(); }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

private:
    Pool& pool_;
};

}  // namespace

Workspace::Workspace(Device device) : device_(std::move(device)) {
    if (Pool* pool = pool_of(device_)) region_ = pool->new_region();
}

Workspace::~Workspace() {
    if (Pool* pool = pool_of(device_)) pool->free_region(region_);
}

void Workspace::call(const std::function<void()>& work, bool recording) {
    Pool* pool = pool_of(device_);
    if (!pool) return work();
    {
        const Within within(*pool, region_, recording);
        work();
    }
    if (const int64_t blocks = pool->in_use(region_))
        throw std::logic_error(std::to_string(blocks) + " blocks of a step's memory are in use after the step");
}

Workspace::Demand Workspace::run(const std::function<void()>& work) {
    call(work, false);
    const Pool* pool = pool_of(device_);
    return pool ? pool->peak(region_) : Demand{};
}

std::unique_ptr<RecordedWork> Workspace::record(const std::function<void()>& work, const Demand& demand) {
    Pool* pool = pool_of(device_);
    if (!pool) return nullptr;
    pool->reserve(region_, demand, device_.name());
    return device_.hardware().record([&] { call(work, true); });
}

void Workspace::keep(const Tensor& tensor) {
    if (Pool* pool = pool_of(device_); pool && tensor) pool->keep(tensor.impl()->buffer->data());
}

}  // namespace gannet
