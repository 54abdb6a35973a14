#include "engine/run/device_option.h"

#include "base/error.h"
#include "kernels/cpu/parallel.h"

namespace gannet {

Device choose_device(const std::string& name, int64_t threads, std::string* why_cpu) {
    if (threads < 0 || threads > 1024)
        throw Error("--threads " + std::to_string(threads), "command line", "use 1 to 1024, or 0 for the default");
    kernels::cpu::set_threads(threads > 0 ? int(threads)
                                          : kernels::cpu::threads());  // complains of GANNET_THREADS before anything is written
    if (name == "cpu") return Device::cpu();
    const std::string why = Device::cuda_unusable();
    if (why.empty()) return Device::cuda();
    if (name == "cuda") throw Error(why, "--device cuda", "use --device cpu");
    if (why_cpu) *why_cpu = why;
    return Device::cpu();
}

}  // namespace gannet
