// The loop of a run: steps until the last one or an interrupt, and between them the log, pictures and checkpoints.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "engine/plots/history.h"
#include "engine/run/log.h"
#include "engine/run/progress.h"
#include "engine/run/run_folder.h"
#include "engine/run/training.h"
#include "engine/training/trainer.h"

namespace gannet {

class Run {
public:
    Run(Trainer& trainer, RunFolder folder, bool resumed);
    virtual ~Run() = default;
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // Returns the exit status: 0 done, 130 interrupted. Throws Error, also where there is a reason to stop. Everything is saved.
    int train(const TrainingOptions& options);

protected:
    // What kinds of runs differ in. All but new_trace() come after the step that trainer's step_count() counts.
    virtual void begin() {}                  // of a new run, before the first step
    virtual config::Members figures() = 0;   // what a line of the log says of the step
    virtual std::string brief() = 0;         // what the progress line says of it
    virtual void pictures(bool /*last*/) {}  // writes those that are due; after the log's line where there is one
    virtual Trace new_trace() const = 0;
    // A line that says why training should not go on; empty while it should.
    virtual std::string reason_to_stop() { return ""; }

    void say(const std::string& line) { progress_.say(line); }
    const config::ModelConfig& config() const { return base_.config(); }
    int64_t step() const { return base_.step_count(); }
    int64_t total() const { return total_; }
    int64_t log_every() const { return log_every_; }

    RunFolder folder_;

private:
    void write_log();
    void show();
    void save();
    void rescue();

    Trainer& base_;
    int64_t first_, total_, log_every_ = 1, saved_step_ = -1;

protected:
    plots::History history_;  // what the log holds
    RunLog log_;

private:
    Progress progress_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), saved_ = start_;
};

}  // namespace gannet
