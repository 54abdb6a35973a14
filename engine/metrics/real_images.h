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
    std::vector<uint8_t> test;      // of the set's test split, at most 10,000; or empty
    SampleShape image;
    bool labelled = false;
    std::string source;                 // for messages
    std::vector<std::string> warnings;  // to be printed with the metrics

    int64_t count() const { return int64_t(training.size()) / image.size(); }
    // Every tenth image, held out if there is no test split; the others are the rest.
    static bool is_held_out(int64_t index) { return index % 10 == 9; }
};

// Of a set as a configuration names it. `key_then` is the key (data_key in engine/train/trainer.h) of the images that
// something was trained with, and with `labels` of their labels; where it is another one now, that is a warning. "": it is not
// known.
RealImages load_real_images(DatasetOptions options, const std::string& key_then, bool labels, ThreadPool& threads);

}  // namespace gannet
