#include "engine/tensor/device.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "kernels/error.h"

namespace gannet {
namespace {

struct Pool {
    std::mutex mutex;
    std::map<std::size_t, std::vector<void*>> free;  // by rounded size
    MemoryStats stats;
    ~Pool() {
        for (auto& [size, blocks] : free)
            for (void* block : blocks) std::free(block);
    }
};

Pool& pool() {
    static Pool instance;
    return instance;
}

// Sizes are rounded up to eighths of a power of two: few classes, at most 12.5 % waste.
std::size_t size_class(std::size_t bytes) {
    std::size_t step = 64;
    while (step * 16 < bytes) step *= 2;
    return (std::max<std::size_t>(bytes, 1) + step - 1) / step * step;
}

// The system grants more than there is and kills whoever touches it, so what cannot fit is refused here.
std::size_t physical_memory() {
    static const std::size_t bytes =
        std::size_t(std::max(sysconf(_SC_PHYS_PAGES), 0L)) * std::size_t(std::max(sysconf(_SC_PAGESIZE), 0L));
    return bytes > 0 ? bytes : std::size_t(-1) / 4;
}

[[noreturn]] void out_of_memory(std::size_t bytes, const Pool& p, const Device& device) {
    throw Error("out of memory: asked for " + std::to_string(bytes >> 20) + " MiB besides " +
                    std::to_string(p.stats.held_bytes >> 20) + " MiB in use, the machine has " +
                    std::to_string(physical_memory() >> 20) + " MiB",
                device.name(), "lower `batch` or the layers' sizes");
}

// Gives back what nobody uses.
void trim(Pool& p) {
    for (auto& [size, blocks] : p.free) {
        for (void* block : blocks) std::free(block);
        p.stats.held_bytes -= int64_t(size * blocks.size());
        blocks.clear();
    }
}

Backend best_isa() {
    if (const char* forced = std::getenv("GANNET_ISA"); forced && *forced) {
        const std::string name = forced;
        for (Backend isa : {Backend::cpu_scalar, Backend::cpu_avx2, Backend::cpu_avx512}) {
            if (Device::cpu(isa).name() != "cpu (" + name + ")") continue;
            if (!Device::supports(isa))
                throw Error("this processor has no " + name, "GANNET_ISA", "unset it, or use scalar or avx2");
            return isa;
        }
        throw Error("unknown instruction set '" + name + "'", "GANNET_ISA", "use scalar, avx2 or avx512");
    }
    for (Backend isa : {Backend::cpu_avx512, Backend::cpu_avx2})
        if (Device::supports(isa)) return isa;
    return Backend::cpu_scalar;
}

}  // namespace

bool Device::supports(Backend isa) {
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    switch (isa) {
        case Backend::cpu_scalar: return true;
        case Backend::cpu_avx2: return avx2;
        case Backend::cpu_avx512:
            return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
        case Backend::cuda: break;
    }
    return false;
}

Device Device::cpu() {
    static const Backend isa = best_isa();
    return Device(isa);
}

Device Device::cpu(Backend isa) { return Device(isa); }

std::string Device::name() const {
    switch (backend_) {
        case Backend::cpu_scalar: return "cpu (scalar)";
        case Backend::cpu_avx2: return "cpu (avx2)";
        case Backend::cpu_avx512: return "cpu (avx512)";
        case Backend::cuda: return "cuda";
    }
    return "";
}

void* Device::allocate(std::size_t bytes) const {
    Pool& p = pool();
    std::lock_guard lock(p.mutex);
    if (bytes > physical_memory()) out_of_memory(bytes, p, *this);
    const std::size_t size = size_class(bytes);
    void* block = nullptr;
    if (auto& blocks = p.free[size]; !blocks.empty()) {
        block = blocks.back();
        blocks.pop_back();
    } else {
        if (std::size_t(p.stats.held_bytes) + size > physical_memory()) trim(p);
        if (std::size_t(p.stats.held_bytes) + size > physical_memory()) out_of_memory(bytes, p, *this);
        block = std::aligned_alloc(64, size);
        if (!block) out_of_memory(bytes, p, *this);
        p.stats.held_bytes += int64_t(size);
        ++p.stats.system_calls;
    }
    p.stats.live_bytes += int64_t(size);
    p.stats.peak_bytes = std::max(p.stats.peak_bytes, p.stats.live_bytes);
    return block;
}

void Device::release(void* data, std::size_t bytes) const {
    const std::size_t size = size_class(bytes);
    Pool& p = pool();
    std::lock_guard lock(p.mutex);
    p.stats.live_bytes -= int64_t(size);
    p.free[size].push_back(data);
}

// Of no bytes, either side may be null.
void Device::copy_from_host(void* to, const void* from, std::size_t bytes) const {
    if (bytes > 0) std::memcpy(to, from, bytes);
}
void Device::copy_to_host(void* to, const void* from, std::size_t bytes) const {
    if (bytes > 0) std::memcpy(to, from, bytes);
}

int64_t Device::available_memory() const {
    std::ifstream file("/proc/meminfo");
    std::string word;
    int64_t kibibytes = 0;
    while (file >> word)
        if (word == "MemAvailable:" && file >> kibibytes) return kibibytes * 1024;
    return int64_t(physical_memory());
}

MemoryStats Device::memory() const {
    Pool& p = pool();
    std::lock_guard lock(p.mutex);
    return p.stats;
}

}  // namespace gannet
