// One training run from start to end: the folder it writes, its log, samples, checkpoints, and how it stops.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/model/model.h"
#include "engine/train/trainer.h"

namespace gannet {

struct TrainingOptions {
    std::string model;  // the model file; with `resume` it may be empty: the run's own configuration
    config::Settings settings;
    std::string out;                // the run folder; "": runs/MODEL, runs/MODEL-2, ...
    std::string resume;             // the folder of a run to resume
    bool resume_if_exists = false;  // resumes the run in `out`, with what `model` says, where there is one
    std::string init;               // weights to start from
    std::string trace;              // where to write the trace of the first `trace_steps` steps
    int64_t trace_steps = 1;
    std::string why_cpu;  // why there is no GPU, for the first line
    // Check everything, print the effective configuration and what the training would take, train nothing. Where the data are
    // not there, what the model file declares is checked.
    bool dry_run = false;
};

// Returns the exit status: 0 done (also where it was done before), 130 interrupted after saving. Throws Error; of a collapse
// (on_collapse: stop) after saving, too.
int run_training(const TrainingOptions& options, Device device);

// The steps that a configuration asks for.
int64_t total_steps(const config::SharedConfig& config, const Trainer& trainer);
// Those of its `epochs`; `images_before` are the images that all steps before a number take.
int64_t steps_in_epochs(const config::SharedConfig& config, int64_t images_per_epoch,
                        const std::function<int64_t(int64_t)>& images_before);

}  // namespace gannet
