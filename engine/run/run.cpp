#include "engine/run/run.h"

#include <algorithm>

#include "engine/checkpoint/checkpoint.h"
#include "engine/run/files.h"
#include "engine/run/interrupt.h"
#include "kernels/error.h"

namespace gannet {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Run::Run(Trainer& trainer, RunFolder folder, bool resumed)
    : folder_(std::move(folder)),
      base_(trainer),
      first_(trainer.step_count()),
      total_(total_steps(trainer.config(), trainer)),
      log_(resumed ? RunLog::resume(folder_.log(), first_, [this](const config::Value& row) { history_.add(row); })
                   : RunLog::create(folder_.log(), [this](const config::Value& row) { history_.add(row); })),
      progress_(total_, first_) {
    log_every_ = config().log_every > 0 ? config().log_every : std::max<int64_t>(1, total_ / 1000);
}

int Run::train(const TrainingOptions& options) {
    std::optional<Trace> trace;
    if (!options.trace.empty()) trace = new_trace();
    if (first_ == 0) {
        begin();
        save();
    }
    std::string reason;
    while (base_.step_count() < total_ && reason.empty()) {
        const bool traced = trace && step() < first_ + options.trace_steps;
        config::blaming(options.settings, [&] { base_.step(traced ? &*trace : nullptr); });
        bool stop = interrupted() || step() == total_;
        try {
            if (trace && (step() == first_ + options.trace_steps || step() == total_)) {
                write_safetensors(options.trace, trace->content);
                trace.reset();
            }
            if (step() % log_every_ == 0 || stop) write_log();
            else if (progress_.due(step())) show();
            pictures(stop);
            reason = reason_to_stop();
            stop = stop || !reason.empty();
            // Last, so that a run killed at any moment has the log line and the pictures of every step it resumes after.
            if (stop || seconds_since(saved_) >= config().checkpoint_every) save();
        } catch (...) {  // whatever could not be written, the steps are not lost for it
            rescue();
            throw;
        }
        if (stop) break;
    }
    progress_.finish();
    if (!reason.empty())
        throw Error("stopped at step " + std::to_string(step()) + ": " + reason, folder_.path(),
                    "look at its plots; --resume it with --on-collapse warn to go on all the same");
    const bool done = step() >= total_;
    std::fprintf(stderr, "%s after %lld of %lld steps: %s\n", done ? "done" : "interrupted", static_cast<long long>(step()),
                 static_cast<long long>(total_), folder_.path().c_str());
    if (!done) std::fprintf(stderr, "go on with: --resume %s\n", folder_.path().c_str());
    return done ? 0 : 130;
}

void Run::show() {
    progress_.update({.step = step(), .images = base_.images_seen() - base_.images_before(first_), .figures = brief()});
}

void Run::write_log() {
    const double seconds = seconds_since(start_);
    const double images = double(base_.images_seen() - base_.images_before(first_));
    config::Members line = {{"step", step()}, {"epoch", double(base_.images_seen()) / double(base_.images_per_epoch())}};
    for (auto& figure : figures()) line.push_back(std::move(figure));
    line.emplace_back("img_per_s", images / std::max(seconds, 1e-9));
    line.emplace_back("seconds", seconds);
    log_.write(line);
    if (progress_.due(step())) show();
}

void Run::rescue() {
    if (saved_step_ == step()) return;
    try {
        save();
    } catch (const std::exception&) {  // the first failure is the one to report
    }
}

void Run::save() {
    save_checkpoint(folder_.checkpoint(), base_, config());
    saved_step_ = step();
    saved_ = std::chrono::steady_clock::now();
}

}  // namespace gannet
