#include "engine/metrics/real_images.h"

#include <cstring>

#include "base/error.h"
#include "engine/metrics/rows.h"
#include "engine/train/checkpoint.h"
#include "engine/train/trainer.h"

namespace gannet {
namespace {

constexpr int64_t most_test_images = 10000;

// The images of the test split. If there are none, empty, with the reason in `why`; also if the network was trained on that
// split.
std::vector<uint8_t> test_images(DatasetOptions options, int64_t size, ThreadPool& threads, std::string& why) {
    why = "the data set has no test split";
    if (options.of_files() || options.split == "test") return {};
    options.split = "test";
    options.first = 0;
    try {
        std::vector<uint8_t> images = load_dataset(options, threads).pixels;
        const Rows<uint8_t> rows = evenly(Rows<uint8_t>(images, size), most_test_images);
        for (int64_t i = 0; i < rows.count(); ++i) std::memmove(&images[std::size_t(i * size)], rows[i], std::size_t(size));
        images.resize(std::size_t(rows.count() * size));  // in place: memory need not hold a copy
        return images;
    } catch (const LackOfMemory&) {
        throw;
    } catch (const Error& error) {
        why += " that can be read: " + std::string(error.what());
        return {};
    }
}

}  // namespace

RealImages load_real_images(DatasetOptions options, const std::string& key_then, bool labels, ThreadPool& threads) {
    Dataset data = load_dataset(options, threads);
    RealImages reals{.image = {data.H, data.W, data.C, false}, .labelled = !data.labels.empty()};
    reals.source = options.path.empty() ? data.name : data.source;
    const std::string key = data_key(data, labels);
    if (!same_data(key_then, key))
        reals.warnings.push_back(std::string(labels ? "the classifier was trained on images or labels that differ from "
                                                    : "the generator was trained on images that differ from ") +
                                 reals.source + ": now " + key + ", then " + key_then +
                                 "; samples are compared with the current images");
    reals.training = std::move(data.pixels);
    std::string why;
    reals.test = test_images(std::move(options), reals.image.size(), threads, why);
    if (reals.test.empty())
        reals.warnings.push_back(why +
                                 "; frechet_floor and data_median use a held-out tenth of the training images, duplicates "
                                 "use the training images");
    return reals;
}

}  // namespace gannet
