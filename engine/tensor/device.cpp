#include "engine/tensor/device.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#ifdef GANNET_CUDA
#include "engine/tensor/cuda.h"
#endif
#include "base/error.h"
#include "base/limits.h"

namespace gannet {
namespace {

std::size_t most_memory() {
    static const std::size_t bytes = std::size_t(memory_limit());
    return bytes;
}

// The system overcommits memory and kills processes that use it, so allocations that cannot fit are refused here. The free memory
// is read again after a sixteenth of it has been allocated.
bool fits(std::size_t bytes) {
    static std::size_t granted = 0;
    if (bytes > granted) {
        const std::size_t left = std::size_t(free_memory());
        if (bytes > left) return false;
        granted = std::max(left / 16, bytes);
    }
    granted -= bytes;
    return true;
}

// Allocations of 2 MiB or more use huge pages: a step's working set exceeds what the TLB reaches with 4 KiB pages. The rest of a
// block after its last whole huge page stays in small pages.
void* allocate_pages(std::size_t bytes) {
    if (!fits(bytes)) return nullptr;
    constexpr std::size_t large_page = std::size_t(1) << 21;
    if (bytes < large_page) return std::aligned_alloc(64, bytes);
    void* data = nullptr;  // aligned_alloc needs a multiple of the alignment
    if (::posix_memalign(&data, large_page, bytes) != 0) return nullptr;
    ::madvise(data, bytes / large_page * large_page, MADV_HUGEPAGE);
    return data;
}

class Host : public Hardware {
public:
    std::string name() const override { return "cpu"; }
    Pool& pool() override { return pool_; }
    // For zero bytes, either pointer may be null.
    void copy_from_host(void* to, const void* from, std::size_t bytes) override {
        if (bytes > 0) std::memcpy(to, from, bytes);
    }
    void copy_to_host(void* to, const void* from, std::size_t bytes) override { copy_from_host(to, from, bytes); }
    int64_t available_memory() override { return free_memory(); }
    double seconds(const std::function<void()>& work) override {
        const auto start = std::chrono::steady_clock::now();
        work();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }

private:
    Pool pool_{
        {allocate_pages, std::free, most_memory,
         [] { return std::to_string(free_memory() >> 20) + " of " + std::to_string(most_memory() >> 20) + " MiB are free"; },
         "out of memory"}};
};

Host& host() {
    static Host& instance = *new Host;
    return instance;
}

std::string name_of(Backend isa) {
    switch (isa) {
        case Backend::cpu_scalar: return "scalar";
        case Backend::cpu_avx2: return "avx2";
        case Backend::cpu_avx512: return "avx512";
        case Backend::cuda: break;
    }
    return "";
}

}  // namespace

Backend Device::best_isa() {
    if (const char* forced = std::getenv("GANNET_ISA"); forced && *forced) {
        const std::string name = forced;
        for (Backend isa : {Backend::cpu_scalar, Backend::cpu_avx2, Backend::cpu_avx512}) {
            if (name_of(isa) != name) continue;
            if (!supports(isa)) throw Error("this processor has no " + name, "GANNET_ISA", "unset it, or use scalar or avx2");
            return isa;
        }
        throw Error("unknown instruction set '" + name + "'", "GANNET_ISA", "use scalar, avx2 or avx512");
    }
    for (Backend isa : {Backend::cpu_avx512, Backend::cpu_avx2})
        if (supports(isa)) return isa;
    return Backend::cpu_scalar;
}

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

Device::Device(Backend backend, Hardware& hardware, Threads threads, Execution execution) {
    execution.threads = threads.get();
    state_ = std::make_shared<State>(State{backend, &hardware, std::move(threads), std::move(execution)});
}

Device Device::with(const Numerics& numerics) const {
    Execution execution = state_->execution;
    execution.numerics = numerics;
    return Device(backend(), hardware(), state_->threads, std::move(execution));
}

Device Device::noting(std::vector<TunedProduct>& into) const {
    Execution execution = state_->execution;
    execution.noted = &into;
    return Device(backend(), hardware(), state_->threads, std::move(execution));
}

Device Device::on_cpu(Backend isa) const { return Device(isa, host(), state_->threads, {.numerics = numerics()}); }

const Device& Device::cpu() {
    static const Device& device = *new Device(cpu(best_isa()));
    return device;
}

Device Device::cpu(Backend isa, const Numerics& numerics, int threads) {
    return Device(isa, host(), std::make_shared<ThreadPool>(threads), {.numerics = numerics});
}

#ifdef GANNET_CUDA
Device Device::cuda(int index, const Numerics& numerics, int threads) {
    Hardware& gpu = cuda::gpu(index);
    return Device(Backend::cuda, gpu, std::make_shared<ThreadPool>(threads), gpu.execution()).with(numerics);
}
std::string Device::cuda_unusable(int index) { return cuda::unusable(index); }
#else
Device Device::cuda(int, const Numerics& numerics, int threads) { return cpu(Backend::cuda, numerics, threads); }
std::string Device::cuda_unusable(int) { return "this program was built without CUDA"; }
#endif

std::string Device::name() const { return is_cuda() ? hardware().name() : "cpu (" + name_of(backend()) + ")"; }

void* Device::allocate(std::size_t bytes) const { return hardware().pool().allocate(bytes, name()); }

}  // namespace gannet
