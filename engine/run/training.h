// One training run from start to end.
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
    bool resume_if_exists = false;  // resumes the run in `out` if there is one, with the configuration `model`
    std::string init;               // weights to start from
    std::string trace;              // where to write the trace of the first `trace_steps` steps
    int64_t trace_steps = 1;
    std::string why_cpu;  // why there is no GPU, for the first line
    // Checks everything, prints the effective configuration and the estimate, and does not train. If the data are missing, checks
    // the shape in the model file.
    bool dry_run = false;
};

// Returns the exit status: 0 done (also if it was done before), 130 interrupted after saving. Throws Error, for a collapse
// (on_collapse: stop) after saving.
int run_training(const TrainingOptions& options, Device device);

// The number of steps of a configuration.
int64_t total_steps(const config::SharedConfig& config, const Trainer& trainer);
// The number of steps of its `epochs`; `images_before(step)` is the number of images used by all earlier steps.
int64_t steps_in_epochs(const config::SharedConfig& config, int64_t images_per_epoch,
                        const std::function<int64_t(int64_t)>& images_before);

}  // namespace gannet
