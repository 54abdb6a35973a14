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
    std::vector<std::string> warnings;  // what was changed to get this shape
};

class SampleSource {
public:
    // A run folder, a checkpoint, a folder of image files, or an .npy file. Throws Error if the path does not exist.
    explicit SampleSource(const std::string& path);

    bool draws() const { return checkpoint_.has_value(); }  // any number of samples, from a seed
    // The data set that the generator was trained on; "mnist" for files.
    std::string data_set() const;
    // For a generator: its training data, and the key of these images (engine/train/trainer.h).
    DatasetOptions data() const;
    std::string data_key() const;
    // `count` images; of files the first ones, or all if `count` is 0; Error if there are fewer. They are resized
    // (data/resize.h) and converted to 1 or 3 channels to match `image`, if given.
    Samples take(int64_t count, uint64_t seed, const std::optional<SampleShape>& image, Device device,
                 const LoadReport& report) const;

private:
    Samples drawn(int64_t count, uint64_t seed, const std::optional<SampleShape>& image, Device device,
                  const LoadProgress& progress) const;
    Samples of_folder(const std::optional<SampleShape>& image, ThreadPool& threads, const LoadReport& report) const;
    Samples of_array() const;

    std::string path_;
    std::optional<Checkpoint> checkpoint_;
    config::GanConfig config_;  // of the checkpoint
};

}  // namespace gannet
