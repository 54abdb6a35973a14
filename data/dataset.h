// Data sets: images as bytes, with optional labels.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "kernels/cpu/parallel.h"

namespace gannet {

// How many images of a folder were made to fit, of those that were decoded now: a set from the cache does not tell.
struct ImageChanges {
    int64_t resized = 0, cropped = 0, greyed = 0, coloured = 0;  // coloured: grey became three equal channels
};

struct Dataset {
    std::string name;
    std::string source;  // the file that the images came from
    int64_t count = 0, H = 0, W = 0, C = 0;
    std::vector<uint8_t> pixels;            // (count, H, W, C)
    std::vector<uint8_t> labels;            // (count), or empty
    std::vector<std::string> classes = {};  // what the labels of a folder mean: the folders in it
    std::string no_labels = {};             // why there are none, for errors
    ImageChanges changes = {};
};

// How far some work has come ("decoding", 300, 10000). Called by the caller's own thread.
using LoadProgress = std::function<void(const char* what, int64_t done, int64_t all)>;

// Who is told of the progress, and of what was ignored or left out. Both may be empty.
struct LoadReport {
    LoadProgress progress;
    std::function<void(const std::string& line)> say;
};

struct DatasetOptions {
    std::string set = "mnist";
    std::string path;             // a folder; "": where the set is installed. Of the set "folder": that, or an archive
    std::string split = "train";  // or "test"
    int64_t size = 0;             // side of the square that images are resized to; 0: as they are
    int64_t first = 0;            // only that many images, from the start; 0: all
    int64_t channels = 0;         // 1 grey, 3 colour; 0: grey of MNIST and its like, else colour

    // Only of the set "folder"
    int64_t crop = 0;                  // side of the middle square that is cut out before the resize; 0: nothing is cut
    std::string background = "white";  // behind transparent pixels: white, black or #rrggbb
    bool skip_broken = false;          // leave a broken file out instead of throwing
    bool cache = true;                 // keep decoded images on disk, and take them from there
    int64_t max_pixels = 100000000;    // of a file; more are refused before any are decoded
    int64_t max_bytes = 1073741824;    // that an archive may unpack to
    LoadReport report;
    FreeMemory free = free_memory_now;  // of all sets

    // The place of one of these keys in the configuration, for errors.
    std::function<std::string(const std::string& key)> where = [](const std::string& key) { return "data." + key; };
};

// What a network needs to know before any image is read.
struct DatasetInfo {
    int64_t H = 0, W = 0, C = 0;
    int64_t count = 0;  // images; 0: not known before they are read
};

// "folder" is a folder (and those in it) or a tar or zip archive of PNG and JPEG files, sorted by name. The shorter side of each
// becomes `size`, then the middle square is taken, with the values of PIL's bilinear resize. Where all of them are in two or
// more folders of the first level, these are their labels. See data/procedural.h for "ring", "grid" and "blobs".
//
// Of the others, without `path`, a set NAME is looked for in the folder $GANNET_DATA/NAME, or if that variable is not set in
// data/NAME beside the running program or in a folder above it; then where the system's package puts it. Both throw Error for
// unknown sets, missing or damaged files and options out of range.
Dataset load_dataset(const DatasetOptions& options, ThreadPool& threads);
// Reads a header only. Where the files are not there and the options tell the images' shape, no error: `absent` receives it.
DatasetInfo dataset_info(const DatasetOptions& options, std::string* absent = nullptr);

std::vector<std::string> dataset_names();

}  // namespace gannet
