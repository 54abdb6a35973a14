#include "engine/tensor/pool.h"

#include <algorithm>

#include "kernels/error.h"

// What nobody holds is poisoned where AddressSanitizer can watch it.
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define GANNET_POISON(data, bytes) ASAN_POISON_MEMORY_REGION(data, bytes)
#define GANNET_UNPOISON(data, bytes) ASAN_UNPOISON_MEMORY_REGION(data, bytes)
#else
#define GANNET_POISON(data, bytes) (void)(data), (void)(bytes)
#define GANNET_UNPOISON(data, bytes) (void)(data), (void)(bytes)
#endif

namespace gannet {
namespace {

// Sizes are rounded up to eighths of a power of two: few classes, at most 12.5 % waste.
std::size_t size_class(std::size_t bytes) {
    std::size_t step = 64;
    while (step * 16 < bytes) step *= 2;
    return (std::max<std::size_t>(bytes, 1) + step - 1) / step * step;
}

}  // namespace

Pool::~Pool() {
    for (auto& [region, blocks] : free_) trim(blocks);
}

// Gives back what nobody uses.
void Pool::trim(Blocks& free) {
    for (auto& [size, blocks] : free) {
        for (void* block : blocks) {
            if (source_.watched) GANNET_UNPOISON(block, size);
            source_.release(block);
            regions_.erase(block);
        }
        stats_.held_bytes -= int64_t(size * blocks.size());
        blocks.clear();
    }
}

void* Pool::allocate(std::size_t bytes, const std::string& device) {
    const std::lock_guard lock(mutex_);
    const auto give_up = [&] {
        throw Error(std::string(source_.out_of) + ": asked for " + std::to_string(bytes >> 20) + " MiB besides " +
                        std::to_string(stats_.held_bytes >> 20) + " MiB in use, " + source_.excess(),
                    device, "lower `batch` or the layers' sizes");
    };
    if (bytes > source_.limit()) give_up();
    const std::size_t size = size_class(bytes);
    void* block = nullptr;
    if (auto& blocks = free_[region_][size]; !blocks.empty()) {
        block = blocks.back();
        blocks.pop_back();
    } else {
        if (std::size_t(stats_.held_bytes) + size > source_.limit()) trim(free_[0]);
        if (std::size_t(stats_.held_bytes) + size > source_.limit()) give_up();
        block = source_.allocate(size);
        if (!block) {
            trim(free_[0]);
            block = source_.allocate(size);
        }
        if (!block) give_up();
        if (region_) regions_[block] = region_;
        stats_.held_bytes += int64_t(size);
        ++stats_.system_calls;
    }
    if (source_.watched && !region_) {  // a graph's blocks have one owner after the other at each replay
        GANNET_POISON(block, size);     // what its class has more than was asked
        GANNET_UNPOISON(block, bytes);
    }
    stats_.live_bytes += int64_t(size);
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
    return block;
}

void Pool::release(void* data, std::size_t bytes) {
    const std::size_t size = size_class(bytes);
    const std::lock_guard lock(mutex_);
    stats_.live_bytes -= int64_t(size);
    const auto region = regions_.find(data);
    if (source_.watched && region == regions_.end()) GANNET_POISON(data, size);
    free_[region == regions_.end() ? 0 : region->second][size].push_back(data);
}

MemoryStats Pool::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

int Pool::begin_region() {
    const std::lock_guard lock(mutex_);
    return region_ = ++last_region_;
}

void Pool::end_region() {
    const std::lock_guard lock(mutex_);
    region_ = 0;
}

void Pool::free_region(int region) {
    const std::lock_guard lock(mutex_);
    trim(free_[region]);
    free_.erase(region);
}

}  // namespace gannet
