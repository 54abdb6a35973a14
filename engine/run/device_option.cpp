#include "engine/run/device_option.h"

#include <charconv>

#include "base/error.h"

namespace gannet {
namespace {

// The GPU of `auto`, `cuda` or `cuda:N`.
int gpu_of(const std::string& name) {
    int index = 0;
    const char* const end = name.data() + name.size();
    const bool numbered = name.starts_with("cuda:");
    const auto [rest, error] = std::from_chars(numbered ? name.data() + 5 : end, end, index);
    if (numbered ? error != std::errc() || rest != end || index < 0 : name != "auto" && name != "cuda")
        throw Error("--device \"" + name + "\" is not known", "command line", "give one of auto, cpu, cuda, cuda:N");
    return index;
}

Device device_of(const std::string& name, int threads, std::string* why_cpu) {
    if (name != "cpu") {
        const int index = gpu_of(name);
        const std::string why = Device::cuda_unusable(index);
        if (why.empty()) return Device::cuda(index, {}, threads);
        if (name != "auto") throw Error(why, "--device " + name, "use --device cpu");
        if (why_cpu) *why_cpu = why;
    }
    return Device::cpu(Device::best_isa(), {}, threads);
}

}  // namespace

Device choose_device(const std::string& name, int64_t threads, std::string* why_cpu) {
    if (threads < 0 || threads > 1024)
        throw Error("--threads " + std::to_string(threads) + " is out of range", "command line",
                    "use 1 to 1024, or 0 for the default");
    const Device device = device_of(name, int(threads), why_cpu);
    device.threads().start();  // complains before anything is written
    return device;
}

}  // namespace gannet
