// The loop of a run: steps until the last one or an interrupt, and between them the log, pictures and checkpoints.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "engine/diagnostics/history.h"
#include "engine/run/log.h"
#include "engine/run/progress.h"
#include "engine/run/run_folder.h"
#include "engine/run/training.h"
#include "engine/train/checkpoint.h"
#include "engine/train/trainer.h"

namespace gannet {

class Run {
public:
    // `checkpoint`: what the trainer was restored from; null for a new run.
    Run(Trainer& trainer, RunFolder folder, const Checkpoint* checkpoint);
    virtual ~Run() = default;
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // Returns the exit status: 0 done, 130 interrupted; the state is saved. Throws Error where there is a reason to stop (saved,
    // too), where the state is not finite (the last finite checkpoint stays), and where a row or a file of a step could not be
    // written: that step is not saved, so a resumed run computes it again and writes it.
    int train(const TrainingOptions& options);

protected:
    // What kinds of runs differ in. All but new_trace() come after the step that trainer's step_count() counts. What they write
    // depends on the number of the step alone: an interrupted run has the same files as one that was not.
    virtual void begin() {}                  // of a new run, before the first step
    virtual json::Members figures() = 0;     // what a row of the log says of the step
    virtual std::string brief() = 0;         // what the progress line says of it
    virtual void diagnose(bool /*last*/) {}  // measures what is due; after the log's row where there is one
    virtual void pictures(bool /*last*/) {}  // writes those that are due; after diagnose()
    virtual Trace new_trace() const = 0;
    // Why training should stop, in one line; empty while it should not.
    virtual std::string reason_to_stop() { return ""; }
    // All that decides what the run does next and that the trainer does not hold, for the checkpoint.
    virtual json::Members state() const { return {}; }

    void say(const std::string& line) { progress_.say(line); }
    const config::SharedConfig& config() const { return base_.config(); }
    int64_t step() const { return base_.step_count(); }
    int64_t total() const { return total_; }
    int64_t log_every() const { return log_every_; }

    RunFolder folder_;

private:
    void write_log();
    void show();
    void save();
    bool is_finite();
    bool diverged();

    Trainer& base_;
    int64_t first_, total_, log_every_ = 1, saved_step_, logged_step_ = -1;
    bool logged_finite_ = true;

protected:
    plots::History history_;  // what the log holds
    RunLog log_;

private:
    Progress progress_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), saved_ = start_;
};

}  // namespace gannet
