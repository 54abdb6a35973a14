#include "engine/run/training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

#include "engine/checkpoint/checkpoint.h"
#include "engine/gan/preflight.h"
#include "engine/gan/trainer.h"
#include "engine/run/files.h"
#include "engine/run/image.h"
#include "engine/run/interrupt.h"
#include "engine/run/log.h"
#include "engine/run/progress.h"
#include "engine/run/run_folder.h"
#include "engine/run/version.h"
#include "kernels/error.h"

namespace gannet {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// What the run folder keeps: the effective configuration and the version of the program that made it.
std::string config_text(const config::ModelConfig& config) {
    config::Value value = config.effective;
    value.at("version") = version();
    return config::dump_json(value) + "\n";
}

void start_from(const std::string& file, GanTrainer& trainer) {
    const Safetensors content = read_safetensors(file);
    load_state(content, file, trainer.generator(), nullptr);
    load_state(content, file, trainer.discriminator(), nullptr);
}

// Everything that happens between steps.
class Run {
public:
    Run(const config::ModelConfig& config, GanTrainer& trainer, RunFolder folder, bool resumed)
        : config_(config),
          trainer_(trainer),
          folder_(std::move(folder)),
          first_(trainer.step_count()),
          total_(total_steps(config, trainer.images_per_epoch(), trainer.images_per_step())),
          log_(resumed ? RunLog::resume(folder_.log(), first_) : RunLog::create(folder_.log())),
          progress_(total_, first_) {
        log_every_ = config.log_every > 0 ? config.log_every : std::max<int64_t>(1, total_ / 1000);
        sample_every_ = config.samples.integer("every");
        if (sample_every_ == 0) sample_every_ = std::max<int64_t>(1, total_ / 20);
    }

    int train(const TrainingOptions& options) {
        std::optional<Trace> trace;
        if (!options.trace.empty()) trace = new_trace();
        make_folders(folder_.path() + "/samples");
        if (first_ == 0) {
            write_reals();
            write_grid();
            save();
        }
        while (trainer_.step_count() < total_) {
            const bool traced = trace && trainer_.step_count() < first_ + options.trace_steps;
            trainer_.step(traced ? &*trace : nullptr);
            const int64_t step = trainer_.step_count();
            const bool stop = interrupted() || step == total_;
            try {
                if (trace && (step == first_ + options.trace_steps || step == total_)) {
                    write_safetensors(options.trace, trace->content);
                    trace.reset();
                }
                if (step % log_every_ == 0 || stop) write_log();
                else if (progress_.due(step)) show(trainer_.losses());
                if (step % sample_every_ == 0 || stop) write_grid();
                // Last, so that a run killed at any moment has the log line and the grid of every step it resumes after.
                if (stop || seconds_since(saved_) >= config_.checkpoint_every) save();
            } catch (...) {  // whatever could not be written, the steps are not lost for it
                rescue();
                throw;
            }
            if (stop) break;
        }
        progress_.finish();
        const bool done = trainer_.step_count() >= total_;
        std::fprintf(stderr, "%s after %lld of %lld steps: %s\n", done ? "done" : "interrupted",
                     static_cast<long long>(trainer_.step_count()), static_cast<long long>(total_), folder_.path().c_str());
        if (!done) std::fprintf(stderr, "go on with: --resume %s\n", folder_.path().c_str());
        return done ? 0 : 130;
    }

private:
    Trace new_trace() const {
        Trace trace;
        const Objective& o = trainer_.objective();
        std::string critic, generator;
        for (int c = 0; c < o.critic_steps; ++c) critic += "d" + std::to_string(c) + " ";
        for (int k = 0; k < o.generator_steps; ++k) generator += "g" + std::to_string(k) + " ";
        std::string order = o.generator_first ? generator + critic : critic + generator;
        order.pop_back();
        trace.content.metadata = {{"config", config::dump_json(config_.effective, -1)}, {"order", order}};
        if (o.reuse_fakes) {
            std::string givers = o.generator_first ? generator : critic;
            givers.pop_back();
            if (!o.reuse_all) givers = givers.substr(givers.rfind(' ') + 1);
            trace.content.metadata["reuse"] = (o.generator_first ? "d0:" : "g0:") + givers;
        }
        return trace;
    }

    void write_reals() {
        const int64_t rows = config_.samples.integer("rows"), columns = config_.samples.integer("columns");
        write_png(folder_.reals(), grid_of(trainer_.reals(rows * columns), rows, columns));
    }

    Image grid_of(const Tensor& images, int64_t rows, int64_t columns) const {
        const std::vector<double> range = config_.data.numbers("range");
        const SampleShape s = trainer_.image();
        return image_grid(to_bytes(images.to_host(), range[0], range[1]), rows, columns, s.H, s.W, s.C);
    }

    void write_grid() {
        const int64_t rows = config_.samples.integer("rows"), columns = config_.samples.integer("columns");
        const Sampler sampler(config_, trainer_.generator());
        write_png(folder_.sample(trainer_.step_count()),
                  grid_of(sampler.images(sampler.latents(config_.seed, 0, rows * columns)), rows, columns));
    }

    void show(const StepLosses& losses) {
        progress_.update({.step = trainer_.step_count(),
                          .images = (trainer_.step_count() - first_) * trainer_.images_per_step(),
                          .loss_d = losses.loss_d,
                          .loss_g = losses.loss_g});
    }

    void write_log() {
        const StepLosses losses = trainer_.losses();
        const double seconds = seconds_since(start_);
        const double images = double(trainer_.step_count() - first_) * double(trainer_.images_per_step());
        log_.write({{"step", trainer_.step_count()},
                    {"epoch", double(trainer_.images_seen()) / double(trainer_.images_per_epoch())},
                    {"loss_d", losses.loss_d},
                    {"loss_g", losses.loss_g},
                    {"grad_norm_d", losses.grad_norm_d},
                    {"grad_norm_g", losses.grad_norm_g},
                    {"img_per_s", images / std::max(seconds, 1e-9)},
                    {"seconds", seconds}});
        if (!warned_ && !(std::isfinite(losses.loss_d) && std::isfinite(losses.loss_g))) {
            progress_.say("warning: a loss is not finite at step " + std::to_string(trainer_.step_count()) +
                          ": the training has diverged");
            warned_ = true;
        }
        if (progress_.due(trainer_.step_count())) show(losses);
    }

    void rescue() {
        if (saved_step_ == trainer_.step_count()) return;
        try {
            save();
        } catch (const std::exception&) {  // the first failure is the one to report
        }
    }

    void save() {
        save_checkpoint(folder_.checkpoint(), trainer_, config_);
        saved_step_ = trainer_.step_count();
        saved_ = std::chrono::steady_clock::now();
    }

    const config::ModelConfig& config_;
    GanTrainer& trainer_;
    RunFolder folder_;
    int64_t first_, total_;
    RunLog log_;
    Progress progress_;
    int64_t log_every_ = 1, sample_every_ = 1, saved_step_ = -1;
    bool warned_ = false;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), saved_ = start_;
};

}  // namespace

DatasetOptions dataset_options(const config::Object& data) {
    return {.set = data.text("set"),
            .path = data.text("path"),
            .split = data.text("split"),
            .size = data.integer("size"),
            .first = data.integer("first"),
            .channels = data.integer("channels"),
            .where = data.where("set")};
}

int64_t total_steps(const config::ModelConfig& config, int64_t images_per_epoch, int64_t images_per_step) {
    if (config.steps > 0) return config.steps;
    int64_t images = 0;
    if (__builtin_mul_overflow(config.epochs, images_per_epoch, &images)) throw Error("too many epochs", "epochs", "lower it");
    return std::max<int64_t>(1, images / images_per_step);
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

    const Dataset data = load_dataset(dataset_options(config.data));
    GanTrainer trainer(config, data, device);
    for (const std::string& line : warnings(config)) std::fprintf(stderr, "gannet: warning: %s\n", line.c_str());
    if (!options.init.empty()) start_from(options.init, trainer);
    if (checkpoint) restore(*checkpoint, trainer);
    const int64_t total = total_steps(config, trainer.images_per_epoch(), trainer.images_per_step());
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
    return Run(config, trainer, *folder, bool(checkpoint)).train(options);
}

}  // namespace gannet
