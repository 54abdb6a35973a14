#include "engine/run/training.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "base/version.h"
#include "data/labels.h"
#include "engine/gan/preflight.h"
#include "engine/run/cli.h"
#include "engine/run/estimate.h"
#include "engine/run/interrupt.h"
#include "engine/run/networks.h"
#include "engine/run/progress.h"
#include "engine/run/run.h"

namespace gannet {
namespace {

// The contents of config.json: the effective configuration and the version of the program.
std::string config_text(const config::SharedConfig& config) {
    json::Value value = config.effective;
    value.at("version") = version();
    return json::dump(value) + "\n";
}

void start_from(const std::string& file, Trainer& trainer) {
    const Safetensors content = open_safetensors(file);
    for (const Trainer::Part& part : trainer.parts()) load_state(content, file, part.network, nullptr);
}

// The bytes of the networks and optimizers in a file.
int64_t state_bytes(Trainer& trainer) {
    int64_t values = 0;
    for (const Trainer::Part& part : trainer.parts())
        values += part.network.parameter_count() * int64_t(1 + part.optimizer.states().size());
    return values * int64_t(sizeof(real));
}

// The run to resume, locked; nothing if a new one is to begin.
std::optional<RunFolder> run_to_resume(const TrainingOptions& options) {
    std::string path = options.resume;
    if (options.resume_if_exists && exists(options.out) && !is_empty_folder(options.out)) {
        path = options.out;
        if (!RunFolder::is_run(path)) throw RunFolder::in_the_way(path);
    }
    if (path.empty()) return std::nullopt;
    std::optional<RunFolder> folder = RunFolder::open(path);
    folder->lock();
    return folder;
}

// A run without a checkpoint starts from step 0 and replaces its log, unless it had one: it saves its state before its first
// step.
void check_not_lost(const RunFolder& run) {
    std::error_code error;
    if (std::filesystem::is_symlink(run.checkpoint(), error))
        throw Error("the checkpoint is a link to nothing", run.checkpoint(), "restore the file, or mount its disk");
    if (RunLog::has_steps(run.log()))
        throw Error("the run has no checkpoint, but its log has rows of later steps", run.path(),
                    "put its checkpoint.safetensors back, or start a new run");
}

int say_finished(const config::SharedConfig& config, int64_t steps, const std::string& path) {
    say("finished: the run has done " + counted(steps, "step") + " (" + path + ")");
    say("to train it further: --resume " + path + (config.steps > 0 ? " --steps N" : " --epochs N"));
    return 0;
}

// Of a set of image files.
void say_classes(const Dataset& data) {
    if (data.classes.empty()) return;
    say(classes_text(data));
    if (classes_are_splits(data))
        say("gannet: warning: these classes look like the parts of a data set: to train on the class folders in one of them, set "
            "data.path to that folder");
}

// With a progress bar and messages on stderr. Short loads show nothing.
Dataset load_and_show(DatasetOptions options, ThreadPool& threads) {
    Bar bar;
    options.report = bar.report();
    return load_dataset(options, threads);
}

// Checks before the images are read: throws Error if the networks do not fit them, or a step does not fit in the device's memory.
// Checks and returns nothing if the shape of the images is unknown before they are read.
template <class Config>
DeclaredImages check_before_data(const Config& config, Device device) {
    const DatasetOptions& options = config.data.images;
    if (options.of_files() && options.size == 0 && options.crop == 0) return {};
    DeclaredImages images = declared_images(config);
    const Networks nets = build_networks(config, images.image, device);
    if constexpr (is_gan<Config>) check_memory(config, *nets[0], *nets[1], device);
    return images;
}

template <class Config>
int print_plan(const Config& config, const SampleShape& image, int64_t images, Device device) {
    std::fputs(estimate_text(config, image, images, device).c_str(), stderr);
    std::fputs(config_text(config).c_str(), stdout);
    return 0;
}

template <class Config>
int dry_run_without_data(const TrainingOptions& options, const Config& config, const DeclaredImages& images, Device device) {
    say(note_of(images));
    if (!options.trace.empty()) const AtomicFile writable(options.trace);
    const Networks nets = build_networks(config, images.image, device);
    if (!options.init.empty()) {
        const Safetensors content = open_safetensors(options.init);
        for (const auto& net : nets) load_state(content, options.init, *net, nullptr);
    }
    if constexpr (is_gan<Config>) say_warnings(config, *nets[0], *nets[1]);
    return print_plan(config, images.image, images.count, device);
}

}  // namespace

int64_t total_steps(const config::SharedConfig& config, const Trainer& trainer) {
    if (config.steps > 0) return config.steps;
    return steps_in_epochs(config, trainer.images_per_epoch(), [&](int64_t step) { return trainer.images_before(step); });
}

int64_t steps_in_epochs(const config::SharedConfig& config, int64_t images_per_epoch,
                        const std::function<int64_t(int64_t)>& images_before) {
    int64_t images = 0;
    if (__builtin_mul_overflow(config.epochs, images_per_epoch, &images)) throw Error("too many epochs", "epochs", "lower it");
    // the most steps that take no more images
    int64_t low = 0, high = images / config.batch + 1;  // a step takes a batch or more
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        (images_before(middle) <= images ? low : high) = middle;
    }
    return std::max<int64_t>(1, low);
}

namespace {

// `folder` and `checkpoint`: of a run to resume.
template <class Config>
int train(const TrainingOptions& options, const Config& config, std::optional<RunFolder> folder,
          std::optional<Checkpoint> checkpoint, Device device) {
    if (const std::optional<Error> lacks = lacking(config, device)) {
        if (!folder) throw Error(*lacks);
        say(std::string("gannet: warning: ") + lacks->with_advice("the run continues in fp32").what());
    }
    if (device.is_cuda() && !config.tuned_on.empty() && config.tuned_on != device.name())
        say("gannet: warning: cuda.tune was measured on " + printable(config.tuned_on) + ", but this GPU is " + device.name() +
            ": measure again with apps/bench MODEL --tune FILE");
    if (!folder && options.dry_run) RunFolder::check_place(options.out, options.resume_if_exists);
    if (!folder) refuse_output_in_data(config.data.images, options.out, "the run's folder");
    const DeclaredImages declared = config::naming_settings(options.settings, [&] { return check_before_data(config, device); });
    if (options.dry_run && !declared.absent.empty()) return dry_run_without_data(options, config, declared, device);
    const Dataset data =
        config::naming_settings(options.settings, [&] { return load_and_show(config.data.images, device.threads()); });
    if constexpr (!is_gan<Config>) say_classes(data);
    const auto trainer =
        config::naming_settings(options.settings, [&] { return std::make_unique<TrainerOf<Config>>(config, data, device); });
    if constexpr (is_gan<Config>) say_warnings(config, trainer->generator(), trainer->discriminator());
    Dataset test;
    if constexpr (!is_gan<Config>) test = config::naming_settings(options.settings, [&] { return test_split(*trainer); });
    if (checkpoint) {
        restore(*checkpoint, *trainer);
        checkpoint->content.arrays.clear();  // closes the file, which the next checkpoint replaces
    } else if (!options.init.empty()) start_from(options.init, *trainer);
    const int64_t total = total_steps(config, *trainer);
    if (total < trainer->step_count() && !options.resume_if_exists)
        throw Error(
            "the run has " + counted(trainer->step_count(), "step") + " already, more than the " + grouped(total) + " requested",
            folder->path(), "give --steps " + std::to_string(trainer->step_count()) + " or more");
    if (!options.trace.empty()) {
        const AtomicFile writable(options.trace);  // throws now rather than after the traced steps
        const int64_t steps = std::min(options.trace_steps, std::max<int64_t>(total - trainer->step_count(), 0));
        // a lower bound: the states before and after each step, and its real images
        const double images = double(trainer->images_of(trainer->step_count())) * double(trainer->image().size()) * sizeof(real);
        check_trace_memory(double(steps + 1) * double(state_bytes(*trainer)) + double(steps) * images, options.trace);
    }
    if (options.dry_run) return print_plan(config, trainer->image(), data.count, device);
    if (checkpoint && trainer->step_count() >= total && !checkpoint->stopped())
        return say_finished(config, trainer->step_count(), folder->path());
    watch_interrupts();
    if (folder) {
        atomic_write(folder->config(), config_text(config));  // `steps` and a few more may have changed
    } else {
        RunFolder::Fill fill;  // config.json does not name the weights to start from
        if (!options.init.empty())
            fill = [&](const RunFolder& run) { write_safetensors(run.checkpoint(), checkpoint_of(*trainer, {})); };
        folder = options.resume_if_exists && is_folder(options.out)
                     ? RunFolder::create_inside(options.out, config_text(config), fill)
                     : RunFolder::create(config.name, options.out, config_text(config), "runs", fill);
    }
    if (!folder->locked())
        say("gannet: warning: the file system has no locks (" + folder->path() + "): do not start a second program on this run");
    say(config.name + ": " + counted(total, "step") + " on " + device.name() +
        (options.why_cpu.empty() ? "" : ", because " + options.why_cpu) + ", batch " + std::to_string(config.batch) + ", " +
        counted(data.count, "image") + " of " + (config.data.images.path.empty() ? data.name : data.source) + "; writing " +
        folder->path());
    return make_run(*trainer, std::move(test), *folder, checkpoint ? &*checkpoint : nullptr)->train(options);
}

}  // namespace

int run_training(const TrainingOptions& options, Device device) {
    ignore_write_signals();
    refuse_model_file(options.init);
    std::optional<RunFolder> folder = run_to_resume(options);
    std::optional<Checkpoint> checkpoint;  // a run without a checkpoint starts from step 0
    if (folder && exists(folder->checkpoint())) checkpoint = load_checkpoint(folder->checkpoint());
    else if (folder) check_not_lost(*folder);
    const config::ModelConfig model = options.model.empty() ? config::load_run_config(folder->config(), options.settings)
                                                            : config::load_model(options.model, options.settings);
    const json::Value& effective = config::shared(model).effective;
    if (checkpoint) check_same_config(*checkpoint, effective);
    else if (folder) check_same_config({.file = folder->config(), .config = json::load(folder->config())}, effective);
    return std::visit(
        [&](const auto& config) { return train(options, config, std::move(folder), std::move(checkpoint), device); }, model);
}

}  // namespace gannet
