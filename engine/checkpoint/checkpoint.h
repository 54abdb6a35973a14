// A run's state in one safetensors file: weights, batch-norm statistics, optimizer state, position. Written atomically.
#pragma once
#include <string>

#include "engine/checkpoint/state.h"
#include "engine/training/trainer.h"

namespace gannet {

void save_checkpoint(const std::string& file, Trainer& trainer, const config::ModelConfig& config);

struct Checkpoint {
    std::string file;
    Safetensors content;
    config::Value config;  // the effective configuration it was made with
    SampleShape image;     // the data's shape
    Counters position;
};

// `path` is a checkpoint file or a run folder. Throws for files that are no checkpoint of this program.
Checkpoint load_checkpoint(const std::string& path);
// Puts a trainer where the checkpoint was: the next step is the one that would have followed.
void restore(const Checkpoint& checkpoint, Trainer& trainer);

// Refuses to continue with another configuration: names the first key that differs. Keys that change no number (how long, how
// often to log, to save, to sample) may differ.
void check_same_config(const Checkpoint& checkpoint, const config::ModelConfig& config);

}  // namespace gannet
