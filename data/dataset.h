// Data sets: images as bytes, with optional labels.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace gannet {

struct Dataset {
    std::string name;
    std::string source;  // the file that the images came from
    int64_t count = 0, H = 0, W = 0, C = 0;
    std::vector<uint8_t> pixels;  // (count, H, W, C)
    std::vector<uint8_t> labels;  // (count), or empty
};

struct DatasetOptions {
    std::string set = "mnist";
    std::string path;             // a folder; "": where the set is installed
    std::string split = "train";  // or "test"
    int64_t size = 0;             // side of the square that images are resized to; 0: as they are
    int64_t first = 0;            // only that many images, from the start; 0: all
    int64_t channels = 0;         // 1 grey, 3 colour (grey in three equal channels); 0: as they are
    std::string where;            // the place in the configuration, for errors
};

// What a network needs to know before any image is read.
struct DatasetInfo {
    int64_t H = 0, W = 0, C = 0;
};

// Without `path`, a set NAME is looked for in the folder $GANNET_DATA/NAME, or if that variable is not set in data/NAME beside
// the running program or in a folder above it; then where the system's package puts it. Both throw Error for unknown sets,
// missing or damaged files and options out of range.
Dataset load_dataset(const DatasetOptions& options);
DatasetInfo dataset_info(const DatasetOptions& options);  // reads a header only

std::vector<std::string> dataset_names();

}  // namespace gannet
