// A run's state in one safetensors file: weights, batch-norm statistics, optimizer state, position. Written atomically.
#pragma once
#include <string>

#include "engine/train/state.h"
#include "engine/train/trainer.h"

namespace gannet {

// The number that a checkpoint stores as `checkpoint_format`. Checkpoints of format 1 have no number and no `run`.
constexpr int64_t checkpoint_format = 2;

// The trainer's state with its configuration; of the arrays only where they are, so they change with the trainer. `run` is all
// other state that decides how a run continues; empty before it starts.
Safetensors checkpoint_of(Trainer& trainer, const json::Members& run);
// The name of the first array with a value that is not finite; "" if all are finite.
std::string first_not_finite(const Safetensors& content);

struct Checkpoint {
    std::string file;
    Safetensors content;  // its arrays are read from the open file when they are used
    json::Value config;   // the effective configuration it was made with
    SampleShape image;    // the data's shape
    std::string data;     // their key; "" if unknown
    Counters position;
    json::Value run;  // null in format 1, and before the run begins
    // Whether an alarm ended the run (on_collapse: stop).
    bool stopped() const;
};

constexpr const char* checkpoint_name = "checkpoint.safetensors";  // in a run folder

// Throws Error if `path` is a model file, given in place of a run or checkpoint.
void refuse_model_file(const std::string& path);
// Throws Error unless it is the folder of a run: it holds a config.json.
void check_is_run(const std::string& folder);
// The path of the checkpoint of a RUN or CHECKPOINT argument. Throws Error if there is none.
std::string find_checkpoint(const std::string& run_or_file);

// `path` is a checkpoint file or a run folder. Throws for files that are not checkpoints of this program.
Checkpoint load_checkpoint(const std::string& path);
config::ModelConfig config_of(const Checkpoint& checkpoint);
// Restores a trainer: its next step is the one after the checkpoint.
void restore(const Checkpoint& checkpoint, Trainer& trainer);

// Compares two data_key; the first is from a checkpoint.
bool same_data(const std::string& then, const std::string& now);

// Throws Error for a different configuration, naming the first key that differs. Keys that are free_at_resume may differ.
void check_same_config(const Checkpoint& checkpoint, const json::Value& effective);

}  // namespace gannet
