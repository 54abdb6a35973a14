#include "engine/run/training.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "engine/checkpoint/checkpoint.h"
#include "engine/gan/preflight.h"
#include "engine/run/classifier_run.h"
#include "engine/run/files.h"
#include "engine/run/gan_run.h"
#include "engine/run/interrupt.h"
#include "engine/run/loading.h"
#include "engine/run/version.h"
#include "kernels/error.h"

namespace gannet {
namespace {

// What the run folder keeps: the effective configuration and the version of the program that made it.
std::string config_text(const config::ModelConfig& config) {
    config::Value value = config.effective;
    value.at("version") = version();
    return config::dump_json(value) + "\n";
}

void start_from(const std::string& file, Trainer& trainer) {
    const Safetensors content = read_safetensors(file);
    for (const Trainer::Part& part : trainer.parts()) load_state(content, file, part.network, nullptr);
}

}  // namespace

DatasetOptions dataset_options(const config::Object& data) {
    return {.set = data.text("set"),
            .path = data.text("path"),
            .split = data.text("split"),
            .size = data.integer("size"),
            .first = data.integer("first"),
            .channels = data.integer("channels"),
            .crop = data.integer("crop"),
            .background = data.text("background"),
            .skip_broken = data.text("broken") == "skip",
            .cache = data.boolean("cache"),
            .max_pixels = data.integer("max_pixels"),
            .max_bytes = data.integer("max_bytes"),
            .where = [data](const std::string& key) { return data.where(key); }};
}

int64_t total_steps(const config::ModelConfig& config, const Trainer& trainer) {
    if (config.steps > 0) return config.steps;
    int64_t images = 0;
    if (__builtin_mul_overflow(config.epochs, trainer.images_per_epoch(), &images))
        throw Error("too many epochs", "epochs", "lower it");
    // the most steps that take no more images
    int64_t low = 0, high = images / config.batch + 1;  // a step takes a batch or more
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        (trainer.images_before(middle) <= images ? low : high) = middle;
    }
    return std::max<int64_t>(1, low);
}

int run_training(const TrainingOptions& options, Device device) {
    ignore_write_signals();
    std::optional<Checkpoint> checkpoint;
    std::optional<RunFolder> folder;
    if (!options.resume.empty()) {
        folder = RunFolder::open(options.resume);
        folder->lock();
        checkpoint = load_checkpoint(find_checkpoint(folder->path()));
    }
    const std::string file = !options.model.empty() ? options.model : folder->config();
    const config::ModelConfig config = config::load_model(file, options.settings);
    if (checkpoint) check_same_config(*checkpoint, config);

    const Dataset data = config::blaming(options.settings, [&] { return load_and_show(dataset_options(config.data)); });
    std::unique_ptr<GanTrainer> gan;
    std::unique_ptr<ClassifierTrainer> classifier;
    config::blaming(options.settings, [&] {
        if (config.is_classifier()) classifier = std::make_unique<ClassifierTrainer>(config, data, device);
        else gan = std::make_unique<GanTrainer>(config, data, device);
    });
    Trainer& trainer = gan ? static_cast<Trainer&>(*gan) : *classifier;
    if (gan)
        for (const std::string& line : warnings(config)) std::fprintf(stderr, "gannet: warning: %s\n", line.c_str());
    if (!options.init.empty()) start_from(options.init, trainer);
    if (checkpoint) restore(*checkpoint, trainer);
    const int64_t total = total_steps(config, trainer);
    if (total < trainer.step_count())
        throw Error(
            "the run has " + std::to_string(trainer.step_count()) + " steps already, " + std::to_string(total) + " are asked for",
            folder->path(), "ask for more with --steps, or leave it away");
    if (!options.trace.empty()) const AtomicFile writable(options.trace);  // throws now rather than after the traced steps
    if (options.dry_run) {
        std::fputs(config_text(config).c_str(), stdout);
        return 0;
    }
    watch_interrupts();
    if (checkpoint) {
        atomic_write(folder->config(), config_text(config));  // `steps` and a few more may have changed
    } else {
        folder = RunFolder::create(config.name, options.out, config_text(config));
        folder->lock();
    }
    std::fprintf(stderr, "%s: %lld steps on %s, batch %lld, %lld images of %s; writing %s\n", config.name.c_str(),
                 static_cast<long long>(total),
                 (device.name() + (options.why_cpu.empty() ? "" : ", as " + options.why_cpu)).c_str(),
                 static_cast<long long>(config.batch), static_cast<long long>(data.count),
                 (config.data.text("path").empty() ? data.name : data.source).c_str(), folder->path().c_str());
    if (classifier) return ClassifierRun(*classifier, *folder, bool(checkpoint)).train(options);
    return GanRun(*gan, *folder, bool(checkpoint)).train(options);
}

}  // namespace gannet
