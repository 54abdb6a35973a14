#include "engine/bench/kernels.h"

#include <algorithm>
#include <memory>

#include "base/format.h"
#include "engine/bench/onednn.h"
#include "engine/bench/timing.h"
#include "engine/tensor/tensor.h"

namespace gannet::bench {
namespace {

// A number with four significant digits, right-aligned; blank if it is 0.
std::string cell(double value, int width) {
    const int digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;
    return value > 0 ? formatted("%*.*f", width, digits, value) : std::string(std::size_t(width), ' ');
}

std::string row(const std::string& kernel, const std::string& shape, const std::string& cells, const std::string& bound) {
    return formatted("%-24s %-46s%s  %s\n", kernel.c_str(), shape.c_str(), cells.c_str(), bound.c_str());
}

}  // namespace

double KernelCase::bytes() const {
    double moved = 0;
    for (const Array& array : arrays) moved += array.passes * double(array.size);
    return moved * sizeof(real);
}

const std::vector<KernelCase>& kernel_cases() {
    static const std::vector<KernelCase> all = [] {
        std::vector<KernelCase> cases;
        add_linear_cases(cases);
        add_elementwise_cases(cases);
        add_training_cases(cases);
        return cases;
    }();
    return all;
}

KernelResult bench_kernel(const KernelCase& c, Device device, const Peaks& peaks, double seconds) {
    const DeviceValue<Counters> counters(device);
    const DeviceValue<OptimizerState> state(device, OptimizerState{1e-4, 1, 0.5, 0.001});
    std::vector<Tensor> tensors;
    Call call{device, {}, counters.data(), state.data()};
    for (const Array& array : c.arrays) {
        tensors.push_back(Tensor::empty({array.size}, device));
        const RandomKey key{1, 2, uint32_t(tensors.size())};
        RUN(device, uniform, tensors.back().data(), counters.data(), key, DrawShape{0, 1, array.size}, real(0.05), real(0.95));
        call.p.push_back(tensors.back().data());
    }
    KernelResult result{.kernel_case = &c, .bound = ""};
    result.seconds = measure(device, seconds, [&] { c.run(call); }).median;
    for (const Baseline& baseline : c.baselines) {
        if (baseline.on_gpu != device.is_cuda()) continue;
        if (const std::function<void()> run = baseline.prepare(call))
            result.baselines[baseline.name] = measure(device, seconds / 2, run).median / baseline.part;
    }
    if (peaks.flops <= 0 || peaks.levels.back().bytes_per_second <= 0 || c.arrays.empty()) return result;
    const double arithmetic = c.flops / peaks.flops, memory = peaks.seconds(c.bytes());
    result.percent = 100 * std::max(arithmetic, memory) / result.seconds;
    result.bound = arithmetic > memory ? "FMA" : peaks.level(c.bytes()).name;
    return result;
}

Baseline naive_baseline(Work run, double part) {
    return {"naive", false,
            [run = std::move(run)](const Call& call) -> std::function<void()> { return [&run, &call] { run(call); }; }, part};
}

void CasesOf::add(const char* kernel, std::vector<Array> arrays, double flops, Work run, Work naive) const {
    cases.push_back({kernel, shape, std::move(arrays), flops, std::move(run)});
    if (naive) cases.back().baselines.push_back(naive_baseline(std::move(naive)));
}

std::vector<std::string> baselines_on(Device device) {
    if (!device.is_cuda())
        return onednn::built() ? std::vector<std::string>{"naive", "oneDNN"} : std::vector<std::string>{"naive"};
#ifdef GANNET_CUBLAS
    return {"cuBLAS"};
#else
    return {};
#endif
}

std::string kernel_header(Device device) {
    std::string cells = "        us     GB/s  GFLOP/s        %";
    for (const std::string& name : baselines_on(device)) cells += std::string(11 - name.size(), ' ') + name + " us";
    return row("kernel", "shape", cells, "bound by");
}

std::string text(const KernelResult& r, Device device) {
    const KernelCase& c = *r.kernel_case;
    std::string cells = cell(1e6 * r.seconds, 10) + cell(c.bytes() / r.seconds / 1e9, 9) + cell(c.flops / r.seconds / 1e9, 9) +
                        cell(r.percent, 9);
    for (const std::string& name : baselines_on(device)) {
        const auto found = r.baselines.find(name);
        cells += cell(found == r.baselines.end() ? 0 : 1e6 * found->second, 14);
    }
    return row(c.kernel, c.shape, cells, r.bound);
}

json::Value json(const KernelResult& r) {
    const KernelCase& c = *r.kernel_case;
    json::Members baselines;
    for (const auto& [name, seconds] : r.baselines) baselines.emplace_back(name, 1e6 * seconds);
    return json::Members{{"kernel", c.kernel},
                         {"shape", c.shape},
                         {"us", 1e6 * r.seconds},
                         {"gb_per_s", c.bytes() / r.seconds / 1e9},
                         {"gflop_per_s", c.flops > 0 ? json::Value(c.flops / r.seconds / 1e9) : json::Value()},
                         {"percent", r.percent > 0 ? json::Value(r.percent) : json::Value()},
                         {"bound", r.bound},
                         {"rivals_us", baselines}};
}

}  // namespace gannet::bench
