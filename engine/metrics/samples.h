// The images to evaluate: drawn with a generator, or read from files.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/train/checkpoint.h"

namespace gannet {

struct Samples {
    std::vector<uint8_t> pixels;  // (count, H, W, C) of `image`
    SampleShape image;
    std::vector<std::string> warnings;  // of what was done to them to make them so
};

class SampleSource {
public:
    // A run folder, a checkpoint, a folder of image files, or a file that ends in .npy. Throws Error where there is nothing.
    explicit SampleSource(const std::string& path);

    bool draws() const { return checkpoint_.has_value(); }  // as many as are wanted, by seed
    // The data set that the samples imitate: the generator's own; "mnist" for files.
    std::string data_set() const;
    // Of a generator: what it was trained with, and the key of these images (engine/train/trainer.h).
    DatasetOptions data() const;
    std::string data_key() const;
    // `count` images. Where `image` is given they are resized (data/resize.h) and made grey or three equal channels as it says;
    // else files stay as they are. Of files the first ones, 0 stands for all; Error where there are fewer.
    Samples take(int64_t count, uint64_t seed, const std::optional<SampleShape>& image, Device device,
                 const LoadReport& report) const;

private:
    Samples drawn(int64_t count, uint64_t seed, Device device, const LoadProgress& progress) const;
    Samples of_folder(const std::optional<SampleShape>& image, ThreadPool& threads, const LoadReport& report) const;
    Samples of_array() const;

    std::string path_;
    std::optional<Checkpoint> checkpoint_;
    config::GanConfig config_;  // of the checkpoint
};

}  // namespace gannet
