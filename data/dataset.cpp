#include "data/dataset.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "data/idx.h"
#include "data/resize.h"
#include "kernels/error.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

struct NamedSet {
    const char* name;
    const char* installed;  // where the system's package puts the files, or ""
    const char* missing;    // what to do where they are found nowhere
};

// A new set in MNIST's format is one more line. Another format is one more reader, called in load_dataset and dataset_info.
const NamedSet sets[] = {
    {"mnist", "",
     "set GANNET_DATA to the folder data of Gannet's source tree, or data.path to a folder with the set's four files"},
    {"fashion-mnist", "/usr/share/datasets/fashion-mnist",
     "install it with `apt install dataset-fashion-mnist`, or set data.path to a folder with its four files"},
};

constexpr int64_t largest_size = 4096;

std::size_t edits(const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t(0));
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t change = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

const NamedSet& find_set(const DatasetOptions& options) {
    std::string known;
    const NamedSet* best = &sets[0];
    for (const NamedSet& set : sets) {
        if (options.set == set.name) return set;
        known += (known.empty() ? "" : ", ") + std::string(set.name);
        if (edits(options.set, set.name) < edits(options.set, best->name)) best = &set;
    }
    const std::string hint = edits(options.set, best->name) <= 4 ? "did you mean \"" + std::string(best->name) + "\"? " : "";
    throw Error("unknown data set \"" + options.set + "\"", options.where, hint + "the sets are " + known);
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

// MNIST's own names, and the ones that some archives give its files; plain or gzip. "" if none is there.
std::string find_file(const std::string& folder, const std::string& stem, const std::string& kind) {
    std::error_code error;
    for (const char* joint : {"-", "."})
        for (const char* end : {".gz", ""}) {
            const std::string file = folder + "/" + stem + joint + kind + end;
            if (fs::exists(file, error)) return file;
        }
    return "";
}

struct Files {
    std::string images, labels;
};

Files find_files(const DatasetOptions& options) {
    const NamedSet& set = find_set(options);
    if (options.split != "train" && options.split != "test")
        throw Error("unknown split \"" + options.split + "\"", options.where, "the splits are train and test");
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
    throw Error(std::string(set.name) + ": no file " + stem + "-images-idx3-ubyte[.gz]" + tried, options.where, to_do);
}

void check_ranges(const DatasetOptions& options) {
    if (options.size < 0 || options.size > largest_size)
        throw Error("size " + std::to_string(options.size) + " of images", options.where,
                    "give 0 (as they are) to " + std::to_string(largest_size));
    if (options.first < 0)
        throw Error("first " + std::to_string(options.first) + " images", options.where, "give 0 (all) or more");
    if (options.channels != 0 && options.channels != 1 && options.channels != 3)
        throw Error(std::to_string(options.channels) + " channels of images", options.where, "give 1 (grey) or 3 (colour)");
}

void check_memory(int64_t count, int64_t H, int64_t W, int64_t C, const DatasetOptions& options) {
    const double bytes = double(count) * double(H * W * C);
    const double memory = double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE));
    if (memory > 0 && bytes > memory)
        throw Error(std::to_string(count) + " images of size " + std::to_string(H) + " take " +
                        std::to_string(int64_t(bytes / 1e9)) + " GB, more than this machine's memory",
                    options.where, "use a smaller data.size, or fewer images with data.first");
}

}  // namespace

std::vector<std::string> dataset_names() {
    std::vector<std::string> names;
    for (const NamedSet& set : sets) names.push_back(set.name);
    return names;
}

Dataset load_dataset(const DatasetOptions& options) {
    check_ranges(options);
    const Files files = find_files(options);
    Idx images = read_idx(files.images, 3);
    Dataset set{options.set, files.images, images.shape[0], images.shape[1], images.shape[2], 1, std::move(images.values), {}};
    if (!files.labels.empty()) {
        set.labels = read_idx(files.labels, 1).values;
        if (int64_t(set.labels.size()) != set.count)
            throw Error(std::to_string(set.count) + " images but " + std::to_string(set.labels.size()) + " labels",
                        files.images + ", " + files.labels, "take both files from the same set and split");
    }
    if (options.first > set.count)
        throw Error("the first " + std::to_string(options.first) + " images are wanted, " + set.name + " has " +
                        std::to_string(set.count),
                    options.where, "use a smaller data.first, or 0 for all");
    if (options.first > 0) {
        set.count = options.first;
        set.pixels.resize(std::size_t(set.count * set.H * set.W * set.C));
        if (!set.labels.empty()) set.labels.resize(std::size_t(set.count));
    }
    if (options.size > 0 && (options.size != set.H || options.size != set.W)) {
        check_memory(set.count, options.size, options.size, 1, options);
        set.pixels = resize_images(set.pixels.data(), set.count, set.H, set.W, set.C, options.size, options.size);
        set.H = set.W = options.size;
    }
    if (options.channels == 3) {
        check_memory(set.count, set.H, set.W, 3, options);
        std::vector<uint8_t> colour(set.pixels.size() * 3);
        for (std::size_t i = 0; i < colour.size(); ++i) colour[i] = set.pixels[i / 3];
        set.pixels = std::move(colour);
        set.C = 3;
    }
    return set;
}

DatasetInfo dataset_info(const DatasetOptions& options) {
    check_ranges(options);
    const std::vector<int64_t> shape = read_idx_shape(find_files(options).images, 3);
    const int64_t C = options.channels ? options.channels : 1;
    if (options.size > 0) return {options.size, options.size, C};
    return {shape[1], shape[2], C};
}

}  // namespace gannet
