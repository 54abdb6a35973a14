// Trains a GAN or a classifier from a model file: ./apps/train models/wgan.json
#include <cstdio>

#include "base/error.h"
#include "base/text.h"
#include "data/cache.h"
#include "engine/run/cli.h"
#include "engine/run/device_option.h"
#include "engine/run/training.h"
#include "engine/train/trace.h"

using namespace gannet;

namespace {

void say_cleared() {
    if (cache_folder().empty()) {
        std::printf("there is no cache: neither XDG_CACHE_HOME nor HOME is set\n");
        return;
    }
    const Cleared cleared = clear_cache();
    std::printf("%s: %s removed, %s MB%s\n", printable(cache_folder(), 1000).c_str(), counted(cleared.files, "file").c_str(),
                grouped(cleared.bytes / 1000000).c_str(),
                cleared.used ? (", " + counted(cleared.used, "file is", "files are") + " in use").c_str() : "");
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](int count, char** arguments) {
        TrainingOptions options;
        std::string device = "auto", matmul, on_collapse;
        int64_t threads = 0;
        bool exact = false, clear = false;
        std::optional<int64_t> epochs, steps, seed;
        std::vector<std::string> set;
        CommandLine line(
            "train",
            "Trains a GAN or a classifier. MODEL.json declares its networks, data and objective (docs/model-format.md).");
        line.positional("MODEL.json", options.model, "the model file; with --resume, default: the run's config.json", false);
        line.option("--out", options.out, "DIR", "folder of the run; default: runs/MODEL");
        line.option("--device", device, "auto|cpu|cuda[:N]", "where to train; auto: a GPU if there is one");
        line.option("--epochs", epochs, "N", "number of passes over the data");
        line.option("--steps", steps, "N",
                    "number of training steps (one step: critic_steps updates of D, then generator_steps of G)");
        line.option("--seed", seed, "S", "seed of all random numbers");
        line.option("--threads", threads, "T", threads_help);
        line.option("--set", set, "KEY.PATH=VALUE", "overrides a key of the model file; may be repeated");
        line.choice("--matmul", matmul, {"auto", "own", "cublas"}, "GEMM implementation on a GPU, as --set cuda.matmul");
        line.flag("--exact", exact, "computes convolutions without Winograd, as --set cpu.exact=true");
        line.choice("--on-collapse", on_collapse, {"warn", "stop"}, "what to do if the training collapses, as --set on_collapse");
        line.option("--init", options.init, "FILE", "starts from the weights of a safetensors file");
        line.option("--trace", options.trace, "FILE",
                    "records the first steps (tools/check_trace.py recomputes those of a GAN in PyTorch); --resume-if-exists "
                    "keeps a trace that exists");
        line.option("--trace-steps", options.trace_steps, "K", "number of steps to record; default: 1");
        line.option("--resume", options.resume, "RUN", "resumes an interrupted run");
        line.flag("--resume-if-exists", options.resume_if_exists,
                  "resumes the run in --out, or starts it: repeat the command until it exits with 0");
        line.flag("--dry-run", options.dry_run, "checks everything and prints the effective configuration");
        line.flag("--clear-cache", clear, "removes the cache of decoded images, then trains if a model is given");
        line.excludes("--resume", {"--out", "--resume-if-exists", "--init"});
        line.needs("--resume-if-exists", "--out");
        line.excludes("--epochs", {"--steps"});
        line.needs("--trace-steps", "--trace");
        if (!line.parse(count, arguments)) return 0;
        if (clear) {
            say_cleared();
            if (options.model.empty() && options.resume.empty()) return 0;
        }

        if (options.model.empty() && options.resume.empty())
            throw Error("no model file", "command line", "give one, as in: ./apps/train models/wgan.json");
        check_trace_place(options.trace);
        if (options.trace_steps < 1)
            throw Error("--trace-steps " + std::to_string(options.trace_steps) + " is out of range", "command line",
                        "use 1 or more");
        options.settings = config::Settings(set);
        const auto flag = [&](const std::string& key, const std::string& value, const std::string& name) {
            options.settings.add(key + "=" + value, name + " " + value);
        };
        if (epochs) flag("epochs", std::to_string(*epochs), "--epochs");
        if (steps) flag("steps", std::to_string(*steps), "--steps");
        if (!matmul.empty()) flag("cuda.matmul", matmul, "--matmul");
        if (!on_collapse.empty()) flag("on_collapse", on_collapse, "--on-collapse");
        if (exact) options.settings.add("cpu.exact=true", "--exact");
        if (seed) flag("seed", std::to_string(*seed), "--seed");
        const Device chosen = choose_device(device, threads, &options.why_cpu);
        return run_training(options, chosen);
    });
}
