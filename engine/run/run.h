// The loop of a run: executes steps until the last one or an interrupt, and writes the log, pictures and checkpoints between
// them.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "engine/classifier/trainer.h"
#include "engine/diagnostics/history.h"
#include "engine/gan/trainer.h"
#include "engine/run/log.h"
#include "engine/run/progress.h"
#include "engine/run/run_folder.h"
#include "engine/run/training.h"
#include "engine/train/checkpoint.h"

namespace gannet {

class Run {
public:
    // `checkpoint`: the one that the trainer was restored from; null for a new run.
    Run(Trainer& trainer, RunFolder folder, const Checkpoint* checkpoint);
    virtual ~Run() = default;
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // Returns the exit status: 0 done, 130 interrupted; the state is saved. Throws Error if there is a reason to stop (the state
    // is saved, too), if the state is not finite (the last finite checkpoint stays), or if a row or a file of a step cannot be
    // written: that step is not saved, so a resumed run computes and writes it again.
    int train(const TrainingOptions& options);

protected:
    // The differences between kinds of runs. All except new_trace() are called after the step that the trainer's step_count()
    // counts. Their output depends only on the number of the step, so an interrupted run has the same files as an uninterrupted
    // one.
    virtual void begin() {}                  // of a new run, before the first step
    virtual json::Members figures() = 0;     // the log row of the step
    virtual std::string brief() = 0;         // the text of the progress line
    virtual void diagnose(bool /*last*/) {}  // computes observations that are due; after the log row, if any
    virtual void pictures(bool /*last*/) {}  // writes the pictures that are due; after diagnose()
    virtual Trace new_trace() const = 0;
    // The reason to stop training, in one line; empty if there is none.
    virtual std::string reason_to_stop() { return ""; }
    // The state of the run outside the trainer, for the checkpoint.
    virtual json::Members state() const { return {}; }

    void say(const std::string& line) { progress_.say(line); }
    const config::SharedConfig& config() const { return base_.config(); }
    int64_t step() const { return base_.step_count(); }
    int64_t total() const { return total_; }

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

// `checkpoint` as in Run. `test`: the images to test a classifier with during the training; may be empty.
std::unique_ptr<Run> make_run(GanTrainer& trainer, Dataset test, const RunFolder& folder, const Checkpoint* checkpoint);
std::unique_ptr<Run> make_run(ClassifierTrainer& trainer, Dataset test, const RunFolder& folder, const Checkpoint* checkpoint);
// The checked test split of a classifier's data; empty for a folder, which has none.
Dataset test_split(const ClassifierTrainer& trainer);

}  // namespace gannet
