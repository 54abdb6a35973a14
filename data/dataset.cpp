#include "data/dataset.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "data/idx.h"
#include "data/image_set.h"
#include "data/picture.h"
#include "data/procedural.h"
#include "data/resize.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

struct NamedSet {
    const char* name;
    const char* installed;   // where the system's package puts the files, or ""
    const char* missing;     // what to do if they are not found
    const char* classifier;  // the model file in models/ that trains a classifier of its images
    int64_t train, test;     // the numbers of images, and their shape: for estimates without the files
    int64_t H, W;
};

// To add a set in MNIST's format, add a row. To add another format, add a reader and call it in load_dataset and dataset_info.
const NamedSet sets[] = {
    {"mnist", "",
     "set GANNET_DATA to the folder data of Gannet's source tree, or data.path to a folder with the set's four files",
     "classifier-mnist", 60000, 10000, 28, 28},
    {"fashion-mnist", "/usr/share/datasets/fashion-mnist",
     "install it with `apt install dataset-fashion-mnist`, or set data.path to a folder with its four files",
     "classifier-fashion", 60000, 10000, 28, 28},
};

constexpr int64_t largest_size = 4096;

// Checks the split, too.
const NamedSet& find_set(const DatasetOptions& options) {
    for (const NamedSet& set : sets) {
        if (options.set != set.name) continue;
        if (options.split == "train" || options.split == "test") return set;
        throw Error("unknown split \"" + options.split + "\"", options.where("split"), "the splits are train and test");
    }
    const std::vector<std::string> names = dataset_names();
    std::string known;
    for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
    const std::string best = nearest(options.set, names), hint = best.empty() ? "" : "did you mean \"" + best + "\"? ";
    throw Error("unknown data set \"" + options.set + "\"", options.where("set"), hint + "the sets are " + known);
}

// data/NAME in the folder of the running program or in one above it; "" if there is none.
std::string beside_program(const std::string& name) {
    std::error_code error;
    fs::path folder = fs::read_symlink("/proc/self/exe", error);
    while (!error && folder.has_relative_path()) {
        folder = folder.parent_path();
        const fs::path found = folder / "data" / name;
        if (fs::is_directory(found, error)) return found.string();
        error.clear();
    }
    return "";
}

// MNIST's own names, and the names that some archives use; plain or gzip. "" if none exists.
std::string find_file(const std::string& folder, const std::string& stem, const std::string& kind) {
    for (const char* joint : {"-", "."})
        for (const char* end : {".gz", ""}) {
            const std::string file = folder + "/" + stem + joint + kind + end;
            if (exists(file)) return file;
        }
    return "";
}

struct Files {
    std::string images, labels;
};

Files find_files(const DatasetOptions& options) {
    const NamedSet& set = find_set(options);
    const std::string stem = options.split == "train" ? "train" : "t10k";
    std::vector<std::string> folders;
    std::string to_do = set.missing;
    if (!options.path.empty()) {
        folders = {options.path};
        to_do = "set data.path to the folder that holds the files (plain or .gz)";
    } else {
        const char* root = std::getenv("GANNET_DATA");
        folders = {root && *root ? std::string(root) + "/" + set.name : beside_program(set.name), set.installed};
    }
    std::string tried;
    for (const std::string& folder : folders) {
        if (folder.empty()) continue;
        const std::string images = find_file(folder, stem + "-images", "idx3-ubyte");
        if (!images.empty()) return {images, find_file(folder, stem + "-labels", "idx1-ubyte")};
        tried += (tried.empty() ? " in " : " or ") + folder;
    }
    if (tried.empty()) tried = " in a folder data/" + std::string(set.name) + " beside or above the program";
    throw Error(std::string(set.name) + ": no file " + stem + "-images-idx3-ubyte[.gz]" + tried,
                options.where(options.path.empty() ? "set" : "path"), to_do);
}

void check_ranges(const DatasetOptions& options) {
    if (options.size < 0 || options.size > largest_size)
        throw Error("size " + std::to_string(options.size) + " of images", options.where("size"),
                    "give 0 (keep the size) to " + std::to_string(largest_size));
    if (options.first < 0)
        throw Error("first " + std::to_string(options.first) + " images", options.where("first"), "give 0 (all) or more");
    if (options.channels != 0 && options.channels != 1 && options.channels != 3)
        throw Error(std::to_string(options.channels) + " channels of images", options.where("channels"),
                    "give 1 (grey) or 3 (colour)");
}

void check_first(const DatasetOptions& options, int64_t count) {
    if (options.first > count)
        throw Error("the first " + std::to_string(options.first) + " images are requested, " + options.set + " has " +
                        std::to_string(count),
                    options.where("first"), "use a smaller data.first, or 0 for all");
}

Dataset load_idx_set(const DatasetOptions& options, ThreadPool& threads) {
    const Files files = find_files(options);
    check_first(options, read_idx_shape(files.images, 3)[0]);  // before they are read
    Idx images = read_idx(files.images, 3, options.free);
    Dataset set{options.set, files.images, images.shape[0], images.shape[1], images.shape[2], 1, std::move(images.values), {}};
    if (files.labels.empty()) {
        set.no_labels = "there is no file of labels next to its images";
    } else {
        set.labels = read_idx(files.labels, 1, options.free).values;
        if (int64_t(set.labels.size()) != set.count)
            throw Error(counted(set.count, "image") + " but " + counted(int64_t(set.labels.size()), "label"),
                        files.images + ", " + files.labels, "take both files from the same set and split");
    }
    if (options.first > 0) {
        set.count = options.first;
        set.pixels.resize(std::size_t(set.count * set.H * set.W * set.C));
        if (!set.labels.empty()) set.labels.resize(std::size_t(set.count));
    }
    const int64_t copies = options.channels == 3 ? 3 : 1;
    if (options.size > 0 && (options.size != set.H || options.size != set.W)) {
        check_memory(set.count, options.size, options.size, copies, options.where("size"), options.free);
        set.pixels =
            resize_images(set.pixels.data(), set.count, set.H, set.W, set.C, options.size, options.size, threads, copies);
        set.H = set.W = options.size;
    } else if (copies > 1) {
        check_memory(set.count, set.H, set.W, copies, options.where("channels"), options.free);
        set.pixels = with_channels({set.count * set.H, set.W, 1, std::move(set.pixels)}, copies).bytes;
    }
    set.C = copies;
    return set;
}

}  // namespace

std::vector<std::string> dataset_names() {
    std::vector<std::string> names;
    for (const NamedSet& set : sets) names.push_back(set.name);
    names.push_back("folder");
    for (const std::string& name : procedural_names()) names.push_back(name);
    return names;
}

std::string classifier_model(const std::string& name) {
    for (const NamedSet& set : sets)
        if (name == set.name) return set.classifier;
    return "";
}

Dataset load_dataset(const DatasetOptions& options, ThreadPool& threads) {
    check_ranges(options);
    if (options.of_files()) return load_images(options, threads);
    return is_procedural(options.set) ? procedural_set(options, threads) : load_idx_set(options, threads);
}

DatasetInfo dataset_info(const DatasetOptions& options, std::string* absent) {
    check_ranges(options);
    if (options.of_files()) return images_info(options, absent);
    if (is_procedural(options.set)) return procedural_info(options);
    const NamedSet& set = find_set(options);
    Files files;
    try {
        files = find_files(options);
    } catch (const Error& error) {
        if (!absent) throw;
        *absent = error.what();
    }
    std::vector<int64_t> shape = {options.split == "train" ? set.train : set.test, set.H, set.W};
    if (!files.images.empty()) {
        shape = read_idx_shape(files.images, 3);
        check_first(options, shape[0]);
    }
    DatasetInfo info{shape[1], shape[2], options.channels ? options.channels : 1, options.first > 0 ? options.first : shape[0]};
    if (options.size > 0) info.H = info.W = options.size;
    return info;
}

}  // namespace gannet
