// Device memory for the partial results of one kernel call of the contract. It comes from the engine's pool, so steps after the
// first allocate nothing and a captured graph uses the same addresses. It can be released immediately, because the stream orders
// the work.
#pragma once
#include <cstddef>

#include "kernels/execution.h"

namespace gannet::kernels::cuda {

class Scratch {
public:
    Scratch(std::size_t bytes, Stream stream)
        : memory_(*stream->scratch), data_(bytes > 0 ? memory_.allocate(bytes) : nullptr), bytes_(bytes) {}
    ~Scratch() {
        if (data_) memory_.release(data_, bytes_);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    template <class T>
    T* as() const {
        return static_cast<T*>(data_);
    }

private:
    ScratchMemory& memory_;
    void* data_;
    std::size_t bytes_;
};

}  // namespace gannet::kernels::cuda
