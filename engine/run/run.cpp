#include "engine/run/run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/run/cli.h"
#include "engine/run/interrupt.h"

namespace gannet {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Throws where memory does not hold the steps that a trace still has to record.
void check_trace(const Trace& trace, int64_t steps, const std::string& file) {
    if (trace.step_bytes() > 0) check_trace_memory(double(steps) * double(trace.step_bytes()), file);
}

}  // namespace

Run::Run(Trainer& trainer, RunFolder folder, const Checkpoint* checkpoint)
    : folder_(std::move(folder)),
      base_(trainer),
      first_(trainer.step_count()),
      total_(total_steps(trainer.config(), trainer)),
      saved_step_(checkpoint ? first_ : -1),
      log_(checkpoint ? RunLog::resume(folder_.log(), first_, [this](const json::Value& row) { history_.add(row); })
                      : RunLog::create(folder_.log(), [this](const json::Value& row) { history_.add(row); })),
      progress_(total_) {
    log_every_ = config().log_every > 0 ? config().log_every : std::max<int64_t>(1, total_ / 1000);
}

int Run::train(const TrainingOptions& options) {
    std::optional<Trace> trace;
    // A repeated command keeps the trace of the first steps.
    const bool has_trace = options.resume_if_exists && first_ > 0 && exists(options.trace) && is_trace(options.trace);
    if (!options.trace.empty() && !has_trace) trace = new_trace();
    if (first_ == 0) {
        begin();
        save();
    }
    std::string reason = reason_to_stop();  // of the checkpoint
    while (base_.step_count() < total_ && reason.empty()) {
        const bool traced = trace && step() < first_ + options.trace_steps;
        if (traced) check_trace(*trace, std::min(total_, first_ + options.trace_steps) - step(), options.trace);
        config::naming_settings(options.settings, [&] { base_.step(traced ? &*trace : nullptr); });
        const bool last = step() == total_;
        const bool asked = interrupted(), due = asked || seconds_since(saved_) >= config().checkpoint_every;
        // Checked before the checkpoint, so that a step that cannot be saved still gets its row and pictures.
        const bool lost = due && !is_finite();
        if (step() % log_every_ == 0 || last || lost) write_log();
        else if (progress_.due(step())) show();
        diagnose(last);
        reason = reason_to_stop();
        const bool ends = last || lost || !reason.empty() || diverged();
        if (trace && (ends || step() == first_ + options.trace_steps)) {
            check_trace_place(options.trace);  // again: it could be the checkpoint that this run has written
            write_safetensors(options.trace, trace->content);
            trace.reset();
        }
        if (ends && logged_step_ != step()) write_log();
        pictures(ends);
        // Last, so that the log and the folder have the rows and pictures of every step that a run can resume from.
        const bool stop = ends || asked;
        if (stop || due) save();
        if (stop) break;
    }
    progress_.finish();
    if (trace)
        gannet::say("gannet: warning: the run ended before the steps to trace (" + options.trace + "): no trace was written");
    if (!reason.empty())
        throw Error("stopped at step " + std::to_string(step()) + ": " + reason, folder_.path(),
                    "see plots/; to continue anyway: train --resume " + folder_.path() + " --on-collapse warn");
    const bool done = step() >= total_;
    gannet::say(std::string(done ? "done" : "interrupted") + " after " + grouped(step()) + " of " + counted(total_, "step") +
                ": " + folder_.path());
    if (!done) gannet::say("resume with: --resume " + folder_.path());
    return done ? 0 : 130;
}

void Run::show() {
    progress_.update({.step = step(),
                      .images = base_.images_seen() - base_.images_before(first_),
                      .images_left = base_.images_before(total_) - base_.images_seen(),
                      .figures = brief()});
}

void Run::write_log() {
    const double seconds = seconds_since(start_);
    const double images = double(base_.images_seen() - base_.images_before(first_));
    json::Members line = {{"step", step()}, {"epoch", double(base_.images_seen()) / double(base_.images_per_epoch())}};
    for (auto& figure : figures()) {
        const double* number = std::get_if<double>(&figure.second.data);
        logged_finite_ = logged_finite_ && !(number && !std::isfinite(*number));
        line.push_back(std::move(figure));
    }
    line.emplace_back("img_per_s", images / std::max(seconds, 1e-9));
    line.emplace_back("seconds", seconds);
    log_.write(line);
    logged_step_ = step();
    if (progress_.due(step())) show();
}

bool Run::is_finite() { return first_not_finite(checkpoint_of(base_, {})).empty(); }

// A loss can be infinite while the state is finite. The state is checked only if a loss is suspect.
bool Run::diverged() { return !std::exchange(logged_finite_, true) && !is_finite(); }

void Run::save() {
    const Safetensors content = checkpoint_of(base_, state());
    if (const std::string name = first_not_finite(content); !name.empty())
        throw Error("the training diverged: after step " + std::to_string(step()) + " '" + name + "' is not finite",
                    folder_.path(),
                    saved_step_ < 0 ? "no state was saved; change the initial values"
                                    : "the checkpoint keeps step " + std::to_string(saved_step_) +
                                          ", the last saved finite state; start again with a lower optimizer.lr");
    log_.sync();  // before the checkpoint, so that a power cut never leaves a checkpoint without its rows
    write_safetensors(folder_.checkpoint(), content);
    saved_step_ = step();
    saved_ = std::chrono::steady_clock::now();
}

}  // namespace gannet
