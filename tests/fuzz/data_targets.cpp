// Fuzz targets: images, archives of images, arrays of bytes, the cache.
#include <cstring>

#include "base/error.h"
#include "data/cache.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "data/idx.h"
#include "data/image_set.h"
#include "data/npy.h"
#include "data/source.h"
#include "tests/fuzz/target.h"
#include "tests/threads.h"

namespace gannet::fuzz {
namespace {

constexpr int64_t most_pixels = 1000000, most_bytes = 10000000;

}  // namespace

void run_image(const std::string& bytes) {
    try {
        const Image picture = decode_image({bytes.begin(), bytes.end()}, {.max_pixels = most_pixels});
        hold(picture.H * picture.W <= most_pixels && int64_t(picture.bytes.size()) == picture.H * picture.W * picture.C,
             "the number of pixels of a picture differs from its extents");
    } catch (const BrokenImage&) {
    }
}

void run_archive(const std::string& bytes) {
    const auto source = ImageSource::open(file_of(bytes, "fuzz.archive"), {most_pixels, most_bytes, bytes.size() % 2 == 1});
    int64_t files = 0;
    source->read(0, int64_t(source->names().size()), threads(),
                 [&](std::vector<ImageFile>& some) { files += int64_t(some.size()); });
    hold(files == int64_t(source->names().size()), "an archive returns another number of files than it lists");
}

// The first byte selects options, the rest is an archive.
void run_set(const std::string& bytes) {
    const int choice = bytes.empty() ? 0 : uint8_t(bytes[0]);
    DatasetOptions options{.set = "folder", .path = file_of(bytes.substr(bytes.empty() ? 0 : 1), "fuzz.archive")};
    options.size = choice % 4 * 5;
    options.channels = choice / 4 % 4;
    options.crop = choice / 16 % 2 * 7;
    options.first = choice / 32 % 2;
    options.skip_broken = choice / 64 % 2;
    options.cache = false;
    options.max_pixels = most_pixels;
    options.max_bytes = most_bytes;
    const Dataset set = load_images(options, threads());
    hold(int64_t(set.pixels.size()) == set.count * set.H * set.W * set.C,
         "the number of pixels of a set differs from its extents");
    hold(set.labels.empty() || int64_t(set.labels.size()) == set.count,
         "the number of labels of a set differs from the number of its images");
}

void run_cache(const std::string& bytes) {
    Dataset set;
    std::vector<std::string> lines;
    uint64_t key = 0;
    if (bytes.size() >= 24) std::memcpy(&key, bytes.data() + 16, sizeof key);  // from the file, so that the key matches
    if (read_cache(file_of(bytes, "fuzz.images"), key, set, lines))
        hold(int64_t(set.pixels.size()) == set.count * set.H * set.W * set.C,
             "the number of pixels of a set differs from its extents");
}

void run_idx(const std::string& bytes) {
    const std::string file = file_of(bytes, "fuzz-idx");
    for (const int axes : {1, 3}) {
        try {
            read_idx_shape(file, axes);
            read_idx(file, axes);
        } catch (const Error&) {
        }
    }
}

void run_npy(const std::string& bytes) { read_npy(file_of(bytes, "fuzz.npy")); }

}  // namespace gannet::fuzz
