// Data sets: images as bytes, with optional labels.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "kernels/cpu/parallel.h"

namespace gannet {

// How many images of a folder were converted. Counts only images decoded now: the cache does not store these numbers.
struct ImageChanges {
    int64_t resized = 0, cropped = 0, greyed = 0, coloured = 0;  // coloured: grey became three equal channels
};

struct Dataset {
    std::string name;
    std::string source;  // the file that the images came from
    int64_t count = 0, H = 0, W = 0, C = 0;
    std::vector<uint8_t> pixels;            // (count, H, W, C)
    std::vector<uint8_t> labels;            // (count), or empty
    std::vector<std::string> classes = {};  // the meaning of the labels of a folder: its subfolders
    std::string no_labels = {};             // why there are none, for errors
    ImageChanges changes = {};
};

// Reports progress ("decoding", 300, 10000). Called on the caller's thread.
using LoadProgress = std::function<void(const char* what, int64_t done, int64_t all)>;

// Receivers of progress and of notes on ignored or omitted files. Both may be empty.
struct LoadReport {
    LoadProgress progress;
    std::function<void(const std::string& line)> say;
};

struct DatasetOptions {
    std::string set = "mnist";
    std::string path;             // a folder; "": where the set is installed. Of the set "folder": that, or an archive
    std::string split = "train";  // or "test"
    int64_t size = 0;             // side of the square that images are resized to; 0: keep the size
    int64_t first = 0;            // only that many images, from the start; 0: all
    int64_t channels = 0;         // 1 grey, 3 colour; 0: grey of MNIST and its like, else colour

    // Only of the set "folder"
    int64_t crop = 0;                  // side of the centre square to crop before the resize; 0: no crop
    std::string background = "white";  // behind transparent pixels: white, black or #rrggbb
    bool skip_broken = false;          // omit a broken file instead of throwing
    bool cache = true;                 // cache decoded images on disk
    int64_t max_pixels = 100000000;    // pixels of a file; larger files are refused before decoding
    int64_t max_bytes = 1073741824;    // the largest unpacked size of an archive
    LoadReport report;
    FreeMemory free = free_memory_now;  // of all sets

    bool of_files() const { return set == "folder"; }  // image files, which have no splits

    // The place of one of these keys in the configuration, for errors.
    std::function<std::string(const std::string& key)> where = [](const std::string& key) { return "data." + key; };
};

// The properties that a network needs before any image is read.
struct DatasetInfo {
    int64_t H = 0, W = 0, C = 0;
    int64_t count = 0;  // number of images; 0: unknown before they are read
};

// "folder" is a folder (with subfolders) or a tar or zip archive of PNG and JPEG files, sorted by name. The shorter side of each
// is resized to `size` as by PIL's bilinear resize, then the centre square is cropped. If all images are in two or more folders
// of the first level, these folders are their labels. See data/procedural.h for "ring", "grid" and "blobs".
//
// Any other set NAME without `path` is searched in the folder $GANNET_DATA/NAME or, if that variable is not set, in data/NAME
// next to the running program or in a folder above it; then where the system's package installs it. Both functions throw Error
// for unknown sets, missing or damaged files and options out of range.
Dataset load_dataset(const DatasetOptions& options, ThreadPool& threads);
// Reads only a header. If the files are missing but the options determine the shape of the images, it does not throw: `absent`
// receives the error.
DatasetInfo dataset_info(const DatasetOptions& options, std::string* absent = nullptr);

std::vector<std::string> dataset_names();
// The name of the model file that trains a classifier of a set's images, or "".
std::string classifier_model(const std::string& set);

}  // namespace gannet
