// Times the training step of a model, or every kernel.
#include <cstdio>
#include <regex>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "base/version.h"
#include "engine/bench/kernels.h"
#include "engine/bench/model.h"
#include "engine/bench/tune.h"
#include "engine/run/cli.h"
#include "engine/run/device_option.h"
#include "engine/train/trainer.h"

using namespace gannet;

namespace {

// Returns the cases whose names match the regular expression. An empty expression matches all.
std::vector<const bench::KernelCase*> select(const std::string& pattern) {
    std::vector<const bench::KernelCase*> chosen;
    try {
        const std::regex expression(pattern);
        for (const bench::KernelCase& c : bench::kernel_cases())
            if (std::regex_search(c.name(), expression)) chosen.push_back(&c);
    } catch (const std::regex_error&) {
        throw Error("\"" + pattern + "\" is not a regular expression", "command line",
                    "write one as in: bench --kernels --filter '^conv2d'");
    }
    if (chosen.empty())
        throw Error("no case matches \"" + pattern + "\"", "command line", "run `bench --kernels --list` to list all cases");
    return chosen;
}

void bench_kernels(const std::vector<const bench::KernelCase*>& cases, Device device, const std::string& why_cpu, double seconds,
                   bool json) {
    const bench::Peaks peaks = bench::find_peaks(device);
    const std::string name = device.name() + (why_cpu.empty() ? "" : ", because " + why_cpu);
    if (!json)
        std::printf("on %s; %s\npeaks: %s\n%s", name.c_str(), counted(device.threads().size(), "thread").c_str(),
                    bench::text(peaks).c_str(), bench::kernel_header(device).c_str());
    json::List results;
    for (const bench::KernelCase* c : cases) {
        const bench::KernelResult result = bench::bench_kernel(*c, device, peaks, seconds);
        if (json) results.push_back(bench::json(result));
        else std::printf("%s", bench::text(result, device).c_str());
        std::fflush(stdout);
    }
    if (json)
        std::printf("%s\n", json::dump(json::Members{{"version", version()},
                                                     {"device", name},
                                                     {"threads", device.threads().size()},
                                                     {"peaks", bench::json(peaks)},
                                                     {"cases", results}})
                                .c_str());
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](int count, char** arguments) {
        std::string model, filter, tune_file, device = "auto", why_cpu;
        std::vector<std::string> settings;
        bool kernels = false, list = false, json = false;
        int64_t threads = 0;
        std::optional<int64_t> steps;
        std::optional<double> seconds;
        CommandLine line(
            "bench",
            "Measures the training step of a model on random images, or each kernel with --kernels. Per cent values "
            "are relative to the roofline: the longer of the time for the flops at peak FMA rate and the time for the "
            "bytes at the bandwidth of the smallest cache that holds them, as measured on this machine (on a GPU "
            "computed from its clocks). Flops of convolutions are those of the direct algorithm, so Winograd can "
            "exceed 100 %.");
        line.positional("MODEL.json", model, "the model file", false);
        line.flag("--kernels", kernels, "measures kernels instead of a model");
        line.option("--filter", filter, "REGEX", "measures only the kernels whose names match");
        line.flag("--list", list, "lists the names of the kernel cases and measures nothing");
        line.flag("--json", json, "prints one JSON object");
        line.option(
            "--tune", tune_file, "FILE",
            "times both GEMM implementations for each shape on this GPU and writes the faster ones, for --set cuda.tune=FILE");
        line.option("--device", device, "auto|cpu|cuda[:N]", "where to compute; auto: a GPU if there is one");
        line.option("--threads", threads, "T", threads_help);
        line.option("--steps", steps, "N", "number of steps to time; default: as many as fit into --seconds, at least 5");
        line.option("--seconds", seconds, "S", "time to measure; default: 5 for a model, 0.1 for each kernel");
        line.option("--set", settings, "KEY.PATH=VALUE", "overrides a key of the model file; may be repeated");
        line.excludes("--kernels", {"MODEL.json", "--steps", "--set", "--tune"});
        line.excludes("--tune", {"--steps", "--json"});
        line.needs("--filter", "--kernels");
        line.needs("--list", "--kernels");
        if (!line.parse(count, arguments)) return 0;

        if (!kernels && model.empty())
            throw Error("nothing to measure", "command line",
                        "give a model file, as in: ./apps/bench models/wgan.json, or --kernels");
        if (steps && (*steps < 1 || *steps > 1000000))
            throw Error("--steps " + std::to_string(*steps) + " is out of range", "command line", "use 1 to 1,000,000");
        if (seconds && !(*seconds >= 0 && *seconds <= 3600))
            throw Error("--seconds " + std::to_string(*seconds) + " is out of range", "command line", "use 0 to 3600");

        if (kernels) {
            const std::vector<const bench::KernelCase*> cases = select(filter);
            if (list) {
                for (const bench::KernelCase* c : cases) std::printf("%s\n", c->name().c_str());
                return 0;
            }
            bench_kernels(cases, choose_device(device, threads, &why_cpu), why_cpu, seconds.value_or(0.1), json);
            return 0;
        }
        const config::GanConfig config = config::gan_of(config::load_model(model, settings));
        const Device chosen = choose_device(device, threads, &why_cpu);
        if (const std::optional<Error> lacks = lacking(config, chosen)) throw Error(*lacks);
        if (!tune_file.empty()) {
            const AtomicFile writable(tune_file);  // throws now rather than after the work
            const bench::Tuning tuning = bench::tune(config, chosen, seconds.value_or(0.1));
            atomic_write(tune_file, json::dump(bench::json(tuning)) + "\n");
            std::printf("%s", bench::text(tuning).c_str());
            return 0;
        }
        const bench::ModelReport report = bench::bench_model(config, chosen, {steps.value_or(0), seconds.value_or(5), why_cpu});
        std::printf("%s", json ? (json::dump(bench::json(report)) + "\n").c_str() : bench::text(report).c_str());
        return 0;
    });
}
