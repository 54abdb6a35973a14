// The real images that samples are compared with.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/nn/module.h"

namespace gannet {

struct RealImages {
    std::vector<uint8_t> training;  // (count, H, W, C) of `image`
    std::vector<uint8_t> test;      // at most 10,000 of the set's test split; may be empty
    SampleShape image;
    bool labelled = false;
    std::string source;                 // for messages
    std::vector<std::string> warnings;  // to be printed with the metrics

    int64_t count() const { return int64_t(training.size()) / image.size(); }
    // If there is no test split, every tenth image is held out.
    static bool is_held_out(int64_t index) { return index % 10 == 9; }
};

// Loads the set that a configuration names. `key_then` is the key (data_key in engine/train/trainer.h) of the images used in
// training, and with `labels` also of their labels; "" if unknown. A different key now is a warning.
RealImages load_real_images(DatasetOptions options, const std::string& key_then, bool labels, ThreadPool& threads);

}  // namespace gannet
