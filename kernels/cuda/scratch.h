// Device memory for the partial results of one contract call. It comes from the engine's pool, so a warm step allocates nothing
// and a captured graph replays with the same addresses; the stream orders the work, so the memory can be released immediately.
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
