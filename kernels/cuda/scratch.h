// Device memory for the partial results of one contract call. It comes from the engine's pool, so a warm step allocates nothing
// and a captured graph replays with the same addresses; work is ordered by the one stream, so it can be given back at once.
#pragma once
#include <cstddef>

#include "kernels/shapes.h"

namespace gannet::kernels::cuda {

// The engine's device file sets these before the first launch.
struct ScratchPool {
    void* (*allocate)(std::size_t bytes) = nullptr;
    void (*release)(void* data, std::size_t bytes) = nullptr;
};
inline ScratchPool scratch_pool;

class Scratch {
public:
    explicit Scratch(std::size_t bytes) : data_(bytes > 0 ? scratch_pool.allocate(bytes) : nullptr), bytes_(bytes) {}
    ~Scratch() {
        if (data_) scratch_pool.release(data_, bytes_);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    template <class T>
    T* as() const {
        return static_cast<T*>(data_);
    }

private:
    void* data_;
    std::size_t bytes_;
};

}  // namespace gannet::kernels::cuda
