#include "engine/tensor/pool.h"

#include <algorithm>

#include "base/error.h"

// Free blocks are poisoned for AddressSanitizer.
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

// Sizes are rounded up to eighths of a power of two: few size classes, at most 12.5 % waste.
std::size_t size_class(std::size_t bytes) {
    std::size_t step = 64;
    while (step * 16 < bytes) step *= 2;
    return (std::max<std::size_t>(bytes, 1) + step - 1) / step * step;
}

}  // namespace

Pool::~Pool() {
    for (auto& [number, region] : regions_) region.recorded = false;
    trim();
}

// Releases free blocks that no recorded work needs.
void Pool::trim() {
    for (auto& [number, region] : regions_) {
        if (region.recorded) continue;
        for (auto& [size, blocks] : region.free) {
            for (void* block : blocks) {
                if (source_.watched) GANNET_UNPOISON(block, size);
                source_.release(block);
                owners_.erase(block);
            }
            stats_.held_bytes -= int64_t(size * blocks.size());
            blocks.clear();
        }
    }
}

void* Pool::take(Blocks& blocks, std::size_t size) {
    const auto found = blocks.find(size);
    if (found == blocks.end() || found->second.empty()) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    return block;
}

// Null if there is none.
void* Pool::from_system(std::size_t size) {
    if (std::size_t(stats_.held_bytes) + size > source_.limit()) trim();
    if (std::size_t(stats_.held_bytes) + size > source_.limit()) return nullptr;
    void* block = source_.allocate(size);
    if (!block) {
        trim();
        block = source_.allocate(size);
    }
    if (!block) return nullptr;
    stats_.held_bytes += int64_t(size);
    ++stats_.system_calls;
    return block;
}

void Pool::give_up(std::size_t bytes, const std::string& device) const {
    throw Error(std::string(source_.out_of) + ": asked for " + std::to_string(bytes >> 20) + " MiB besides " +
                    std::to_string(stats_.held_bytes >> 20) + " MiB in use, " + source_.excess(),
                device, "give the program more memory; in a training, lower `batch` or the layers' sizes");
}

void* Pool::allocate(std::size_t bytes, const std::string& device) {
    const std::lock_guard lock(mutex_);
    if (bytes > source_.limit()) give_up(bytes, device);
    const std::size_t size = size_class(bytes);
    Region& region = regions_[region_];
    void* block = take(region.free, size);
    if (!block && region_) block = take(regions_[0].free, size);
    if (!block && recording_)
        throw Error("a recorded step asks for " + std::to_string(bytes) + " bytes more than the step that ran before", device,
                    "report this; --set cuda.graph=false avoids it");
    if (!block) block = from_system(size);
    if (!block) give_up(bytes, device);
    if (region_) {
        owners_[block] = {region_, size, false};
        int64_t& peak = region.peak[size];
        peak = std::max(peak, ++region.in_use[size]);
    }
    if (source_.watched) {  // a recorded block has several owners in turn at each replay
        if (!region.recorded) GANNET_POISON(block, size);
        GANNET_UNPOISON(block, region.recorded ? size : bytes);
    }
    stats_.live_bytes += int64_t(size);
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
    return block;
}

void Pool::release(void* data, std::size_t bytes) {
    const std::size_t size = size_class(bytes);
    const std::lock_guard lock(mutex_);
    stats_.live_bytes -= int64_t(size);
    const auto owner = owners_.find(data);
    Region& region = regions_[owner == owners_.end() ? 0 : owner->second.region];
    if (owner != owners_.end()) {
        if (!owner->second.kept) --region.in_use[size];
        owner->second.kept = false;
    }
    if (source_.watched && !region.recorded) GANNET_POISON(data, size);
    region.free[size].push_back(data);
}

MemoryStats Pool::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

int Pool::new_region() {
    const std::lock_guard lock(mutex_);
    regions_[++last_region_];
    return last_region_;
}

void Pool::enter(int region, bool recording) {
    const std::lock_guard lock(mutex_);
    region_ = region;
    recording_ = recording;
    regions_[region].peak.clear();
}

void Pool::leave() {
    const std::lock_guard lock(mutex_);
    region_ = 0;
    recording_ = false;
}

void Pool::reserve(int region, const Counts& counts, const std::string& device) {
    const std::lock_guard lock(mutex_);
    Region& of = regions_[region];
    of.recorded = true;
    for (const auto& [size, count] : counts) {
        std::vector<void*>& blocks = of.free[size];
        while (int64_t(blocks.size()) < count) {
            void* block = take(regions_[0].free, size);
            if (!block) block = from_system(size);
            if (!block) give_up(size, device);
            owners_[block] = {region, size, false};
            blocks.push_back(block);
        }
    }
}

void Pool::keep(const void* block) {
    const std::lock_guard lock(mutex_);
    const auto owner = owners_.find(block);
    if (owner == owners_.end() || owner->second.kept) return;
    owner->second.kept = true;
    --regions_[owner->second.region].in_use[owner->second.size];
}

int64_t Pool::in_use(int region) const {
    const std::lock_guard lock(mutex_);
    int64_t blocks = 0;
    for (const auto& [size, count] : regions_.at(region).in_use) blocks += count;
    return blocks;
}

Pool::Counts Pool::peak(int region) const {
    const std::lock_guard lock(mutex_);
    return regions_.at(region).peak;
}

void Pool::free_region(int region) {
    const std::lock_guard lock(mutex_);
    const auto found = regions_.find(region);
    if (found == regions_.end()) return;
    for (auto& [size, blocks] : found->second.free) {
        for (void* block : blocks) {
            if (source_.watched) GANNET_POISON(block, size);
            regions_[0].free[size].push_back(block);
        }
    }
    std::erase_if(owners_, [&](const auto& owner) { return owner.second.region == region; });
    regions_.erase(found);
}

}  // namespace gannet
