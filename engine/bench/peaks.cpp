#include "engine/bench/peaks.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "base/format.h"
#include "engine/bench/timing.h"
#include "engine/tensor/tensor.h"
#include "kernels/cpu/peak.h"

namespace gannet::bench {
namespace {

// Bytes of the data cache of level 1 or 2 (of one core) or 3 (shared); 0 if unknown.
int64_t cache_bytes(int level) {
    for (int index = 0; index < 8; ++index) {
        const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
        std::ifstream level_file(folder + "level"), size_file(folder + "size");
        int found = 0;
        int64_t kibibytes = 0;
        std::string type;
        std::ifstream(folder + "type") >> type;
        if (type != "Instruction" && level_file >> found && found == level && size_file >> kibibytes) return kibibytes * 1024;
    }
    constexpr int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    return std::max<int64_t>(0, sysconf(names[level - 1]));
}

kernels::cpu::PeakLoops loops_of(Backend isa) {
    switch (isa) {
        case Backend::cpu_avx2: return kernels::cpu::avx2::peak_loops();
        case Backend::cpu_avx512: return kernels::cpu::avx512::peak_loops();
        default: return kernels::cpu::scalar::peak_loops();
    }
}

// The maximum of many samples, because other programs can only lower the rate.
double multiply_add_rate(const Device& device) {
    const auto run = loops_of(device.backend()).multiply_adds;
    const int64_t tasks = 16 * device.threads().size(), rounds = 10000;
    double flops = 0;
    const Timing timing = measure(device, 0.2, [&] { flops = run(tasks, rounds, device.stream()); });
    return flops / timing.best;
}

double triad_rate(Device device, double bytes) {
    const int64_t n = std::max<int64_t>(1024, int64_t(bytes / (3 * sizeof(real))));
    const Tensor a = Tensor::full({n}, 0, device), b = Tensor::full({n}, 1, device), c = Tensor::full({n}, 2, device);
    const auto run = loops_of(device.backend()).triad;
    const Timing timing = measure(device, 0.1, [&] { run(a.data(), b.data(), c.data(), real(0.5), n, device.stream()); });
    return 3 * double(n) * sizeof(real) / timing.best;
}

}  // namespace

const Peaks::Level& Peaks::level(double bytes) const {
    for (const Level& level : levels)
        if (bytes <= level.bytes) return level;
    return levels.back();
}

double Peaks::seconds(double bytes) const {
    double total = 0, smaller = 0;
    for (const Level& level : levels) {
        total += (std::min(bytes, level.bytes) - smaller) / level.bytes_per_second;
        if (bytes <= level.bytes) break;
        smaller = level.bytes;
    }
    return total;
}

Peaks find_peaks(Device device) {
    Peaks peaks;
    if (device.is_cuda()) {
        const DevicePeaks gpu = device.peaks();
        peaks.flops = gpu.flops;
        peaks.rates = {{"fp32", gpu.flops}};
        peaks.levels = {{"memory", INFINITY, gpu.bytes_per_second}};
        return peaks;
    }
    for (const Backend isa : {Backend::cpu_scalar, Backend::cpu_avx2, Backend::cpu_avx512}) {
        if (!Device::supports(isa)) continue;
        const Device cpu = device.on_cpu(isa);
        const std::string name = cpu.name();  // "cpu (avx2)"
        peaks.rates.push_back({name.substr(5, name.size() - 6), multiply_add_rate(cpu)});
        if (isa == device.backend()) peaks.flops = peaks.rates.back().flops;
    }
    // Arrays that fit into L1 are too small to split between threads.
    const double first = double(cache_bytes(1)), second = double(cache_bytes(2)) * device.threads().size(),
                 third = double(cache_bytes(3));
    if (first > 0) peaks.levels.push_back({"L1", first, triad_rate(device, first / 2)});
    if (second > first) peaks.levels.push_back({"L2", second, triad_rate(device, second / 2)});
    if (third > second) peaks.levels.push_back({"L3", third, triad_rate(device, third / 2)});
    const double beyond = std::min(std::max(4 * third, 128e6), double(device.available_memory()) / 4);
    peaks.levels.push_back({"memory", INFINITY, triad_rate(device, beyond)});
    return peaks;
}

std::string text(const Peaks& peaks) {
    if (peaks.flops == 0) return "unknown: the device does not report its peaks";
    std::string line = "FMA ";
    for (const Peaks::Rate& rate : peaks.rates) line += formatted("%s %.1f, ", rate.name.c_str(), rate.flops / 1e9);
    line.replace(line.size() - 2, 2, " GFLOP/s; ");
    for (const Peaks::Level& level : peaks.levels)
        line += formatted("%s %.1f, ", level.name.c_str(), level.bytes_per_second / 1e9);
    line.replace(line.size() - 2, 2, " GB/s");
    return line;
}

json::Value json(const Peaks& peaks) {
    json::Members rates, levels;
    for (const Peaks::Rate& rate : peaks.rates) rates.emplace_back(rate.name, rate.flops / 1e9);
    for (const Peaks::Level& level : peaks.levels) levels.emplace_back(level.name, level.bytes_per_second / 1e9);
    return json::Members{{"gflop_per_s", rates}, {"gb_per_s", levels}};
}

}  // namespace gannet::bench
