// The images that are to be judged: drawn with a generator, or read from files.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/checkpoint/checkpoint.h"

namespace gannet {

struct Samples {
    std::vector<uint8_t> pixels;  // (count, H, W, C) of the shape that was asked for
    SampleShape made;             // the shape that they had before
};

class SampleSource {
public:
    // A run folder, a checkpoint, a folder of PNG files, or a file that ends in .npy. Throws Error where there is nothing.
    explicit SampleSource(const std::string& path);

    bool draws() const { return checkpoint_.has_value(); }  // as many as are wanted, by seed
    // The data set that the samples are to look like: the generator's own, of files "mnist".
    std::string data_set() const;
    // `count` images, resized (data/resize.h) and made grey or three equal channels where `image` says so. Of files the first
    // ones, 0 stands for all; Error where there are fewer.
    Samples take(int64_t count, uint64_t seed, const SampleShape& image, Device device) const;

private:
    Samples drawn(int64_t count, uint64_t seed, Device device) const;
    Samples of_folder(const SampleShape& image) const;
    Samples of_array() const;

    std::string path_;
    std::optional<Checkpoint> checkpoint_;
    config::ModelConfig config_;  // of the checkpoint
};

}  // namespace gannet
