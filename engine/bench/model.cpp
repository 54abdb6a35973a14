#include "engine/bench/model.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "base/version.h"
#include "data/procedural.h"
#include "engine/gan/trainer.h"
#include "engine/metrics/nearest.h"
#include "kernels/place.h"

namespace gannet::bench {
namespace {

// The text after `key` on its line of a system file, or "".
std::string value_of(const char* file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (line.compare(0, key.size(), key) != 0) continue;
        const std::size_t begin = line.find_first_not_of(" \t:", key.size());
        return begin == std::string::npos ? "" : line.substr(begin);
    }
    return "";
}

// Seconds since this process was started, to a hundredth.
double process_seconds() {
    std::ifstream in("/proc/self/stat");
    std::string line;
    std::getline(in, line);
    // The second field, the program's name, may contain any character and ends at the last parenthesis; field 22 is the start
    // time.
    std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
    std::string field;
    for (int i = 3; i <= 22; ++i) fields >> field;
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    const double ticks = double(sysconf(_SC_CLK_TCK));
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9 - std::strtod(field.c_str(), nullptr) / ticks;
}

// The peak memory of this process.
int64_t peak_resident_bytes() { return std::strtoll(value_of("/proc/self/status", "VmHWM").c_str(), nullptr, 10) * 1024; }

// "AMD EPYC 9B14"; "" if unknown.
std::string processor() { return value_of("/proc/cpuinfo", "model name"); }

// The image size of the data set; if it is not installed, the size in the model file, or MNIST's.
DatasetInfo image_size(const DatasetOptions& options) {
    try {
        return dataset_info(options);
    } catch (const Error&) {
        const int64_t side = options.size ? options.size : 28;
        return {side, side, options.channels ? options.channels : 1};
    }
}

using Clock = std::chrono::steady_clock;

// Receives the ranges while it exists.
struct Ledger {
    const ProfilerRanges before = profiler_ranges;
    std::map<std::string, Family> families;
    std::vector<StepPart> open;
    Clock::time_point since = Clock::now();

    Ledger() {
        profiler_ranges = {[](void* to, const StepPart& part) { static_cast<Ledger*>(to)->settle().push_back(part); },
                           [](void* to) { static_cast<Ledger*>(to)->settle().pop_back(); }, this};
    }
    Ledger(const Ledger&) = delete;
    ~Ledger() { profiler_ranges = before; }

    // Adds the time since the last event to the innermost range. Returns the open ranges.
    std::vector<StepPart>& settle() {
        const Clock::time_point now = Clock::now();
        const bool backward = std::any_of(open.begin(), open.end(), [](const StepPart& part) { return part.is_backward; });
        const char* group = open.empty() ? nullptr : open.back().group;
        Family& family = families[group ? group : "rest"];
        (backward ? family.backward : family.forward) += std::chrono::duration<double>(now - since).count();
        since = now;
        return open;
    }
};

// Runs `work` once and adds up the time during which each range (kernels/place.h) is the innermost one: "conv2d", "linear", ...,
// each with its fused activation, "optimizer", and "rest" for the others (draws, data, losses, penalty). For devices that compute
// before a call returns, as CPUs do.
std::map<std::string, Family> profile(const std::function<void()>& work) {
    Ledger mine;
    work();
    mine.settle();
    return mine.families;
}

}  // namespace

Dataset random_images(const config::GanConfig& config) {
    const DatasetInfo info = image_size(config.data.images);
    const int64_t count = std::max(config.batch, std::min<int64_t>(8 * config.batch, 4096));
    return noise_images(count, info.H, info.W, info.C);
}

double ModelReport::quantile(double q) const { return gannet::quantile(seconds, q); }

ModelReport bench_model(const config::GanConfig& given, Device device, const ModelOptions& options) {
    config::GanConfig config = given;
    config.objective.warm_up.reset();  // times the steps after the warm-up phase
    ModelReport r;
    r.name = config.name;
    r.device = device.name() + (options.why_cpu.empty() ? "" : ", because " + options.why_cpu);
    r.processor = processor();
    r.threads = device.threads().size();
    r.batch = config.batch;
    const Dataset images = random_images(config);
    GanTrainer trainer(config, images, device);
    r.images_per_step = trainer.usual_plan().images;
    r.parameters = trainer.generator().parameter_count() + trainer.discriminator().parameter_count();
    for (const Trainer::Part& part : trainer.parts()) {
        const Work work = trainer.usual_plan().work(part.network.net());
        r.flops = r.flops + flops(part.network, work, config.batch);
        r.bytes = r.bytes + bytes(part.network, work, config.batch, part.optimizer.words());
    }
    r.start = process_seconds();
    r.warm_up = device.is_cuda() ? 3 : 2;  // on a GPU the second step is captured and the third is the first replay
    const auto step = [&] { trainer.step(); };
    for (int64_t i = 0; i < r.warm_up; ++i) step();
    const auto wanted = [&](double spent) {
        const auto done = int64_t(r.seconds.size());
        return options.steps > 0 ? done < options.steps : done < 5 || spent < options.seconds;
    };
    for (double spent = 0; wanted(spent); spent += r.seconds.back()) r.seconds.push_back(device.seconds(step));
    r.resident_bytes = peak_resident_bytes();
    if (device.is_cuda()) r.device_bytes = device.memory().held_bytes;
    if (trainer.recorded()) r.launches = trainer.recorded()->kernels();

    if (!device.is_cuda()) {
        const int steps = int(std::clamp(0.5 / r.median(), 1.0, 100.0));
        r.families = profile([&] {
            for (int i = 0; i < steps; ++i) trainer.step();
        });
        for (auto& [name, family] : r.families) family.forward /= steps, family.backward /= steps;
    }
    r.peaks = find_peaks(device);
    return r;
}

std::string text(const ModelReport& r) {
    const double median = r.median(), rate = r.flops.total() / median;
    std::string lines = printable(r.name) + ": batch " + std::to_string(r.batch) + ", " + counted(r.parameters, "parameter") +
                        ", on " + r.device + "; " + counted(r.threads, "thread") +
                        (r.processor.empty() ? "" : " of " + r.processor) + "\n";
    lines += formatted(
        "  ms per step       median %.3f, min %.3f, half of them within %.3f to %.3f, max %.3f; %zu steps timed after %lld "
        "warm-up steps\n",
        1e3 * median, 1e3 * r.quantile(0), 1e3 * r.quantile(0.25), 1e3 * r.quantile(0.75), 1e3 * r.quantile(1), r.seconds.size(),
        static_cast<long long>(r.warm_up));
    lines += formatted("  images per second %.0f\n", double(r.images_per_step) / median);
    lines += formatted("  GFLOP per step    %.3f: forward %.3f, data gradients %.3f, weight gradients %.3f, penalty %.3f\n",
                       r.flops.total() / 1e9, r.flops.forward / 1e9, r.flops.data_gradient / 1e9, r.flops.weight_gradient / 1e9,
                       r.flops.penalty / 1e9);
    lines += formatted(
        "  GB moved per step at least %.3f: linear and convolutions %.3f, norms %.3f, activations %.3f, optimizers %.3f\n",
        r.bytes.total() / 1e9, r.bytes.products / 1e9, r.bytes.norms / 1e9, r.bytes.activations / 1e9, r.bytes.optimizers / 1e9);
    if (r.launches > 0) lines += formatted("  kernels per step  %d\n", r.launches);
    lines += formatted("  GFLOP per second  %.1f", rate / 1e9);
    if (r.peaks.flops > 0) lines += formatted(", %.1f %% of the FMA peak", 100 * rate / r.peaks.flops);
    lines += "\n  peaks             " + text(r.peaks) + "\n";
    lines += formatted("  first step began  %.2f s after the start of the process\n", r.start);
    lines += formatted("  peak memory       %.0f MB resident", double(r.resident_bytes) / 1e6);
    if (r.device_bytes > 0) lines += formatted(", %.0f MB of the GPU", double(r.device_bytes) / 1e6);
    lines += "\n";
    double total = 0;
    for (const auto& [name, family] : r.families) total += family.forward + family.backward;
    if (!r.families.empty()) lines += formatted("  %-17s %10s %10s %7s\n", "ms by layer", "forward", "backward", "%");
    for (const auto& [name, family] : r.families)
        lines += formatted("    %-15s %10.3f %10.3f %7.1f\n", name.c_str(), 1e3 * family.forward, 1e3 * family.backward,
                           100 * (family.forward + family.backward) / total);
    return lines;
}

json::Value json(const ModelReport& r) {
    using json::Members;
    const double median = r.median(), rate = r.flops.total() / median;
    const auto percent = [&] { return r.peaks.flops > 0 ? json::Value(100 * rate / r.peaks.flops) : json::Value(); };
    Members families;
    for (const auto& [name, family] : r.families)
        families.emplace_back(name, Members{{"forward", 1e3 * family.forward}, {"backward", 1e3 * family.backward}});
    return Members{
        {"model", r.name},
        {"version", version()},
        {"device", r.device},
        {"processor", r.processor},
        {"threads", r.threads},
        {"batch", r.batch},
        {"parameters", r.parameters},
        {"steps", int64_t(r.seconds.size())},
        {"ms_per_step", Members{{"median", 1e3 * median},
                                {"min", 1e3 * r.quantile(0)},
                                {"quarter", 1e3 * r.quantile(0.25)},
                                {"three_quarters", 1e3 * r.quantile(0.75)},
                                {"max", 1e3 * r.quantile(1)}}},
        {"images_per_s", double(r.images_per_step) / median},
        {"gflop_per_step", Members{{"forward", r.flops.forward / 1e9},
                                   {"data_gradient", r.flops.data_gradient / 1e9},
                                   {"weight_gradient", r.flops.weight_gradient / 1e9},
                                   {"penalty", r.flops.penalty / 1e9},
                                   {"total", r.flops.total() / 1e9}}},
        {"gb_per_step", Members{{"products", r.bytes.products / 1e9},
                                {"norms", r.bytes.norms / 1e9},
                                {"activations", r.bytes.activations / 1e9},
                                {"others", r.bytes.others / 1e9},
                                {"optimizers", r.bytes.optimizers / 1e9},
                                {"data", r.bytes.data / 1e9},
                                {"total", r.bytes.total() / 1e9}}},
        {"kernels_per_step", r.launches > 0 ? json::Value(r.launches) : json::Value()},
        {"gflop_per_s", rate / 1e9},
        {"percent_of_peak", percent()},
        {"peaks", json(r.peaks)},
        {"first_step_s", r.start},
        {"resident_mb", double(r.resident_bytes) / 1e6},
        {"device_mb", double(r.device_bytes) / 1e6},
        {"ms_by_layer", families},
    };
}

}  // namespace gannet::bench
