#include "engine/metrics/evaluation.h"

#include <algorithm>
#include <numeric>

#include "data/text.h"
#include "engine/metrics/classes.h"
#include "engine/metrics/frechet.h"
#include "engine/metrics/nearest.h"
#include "engine/run/files.h"
#include "engine/run/loading.h"
#include "engine/run/training.h"
#include "kernels/error.h"
#include "kernels/precision.h"

namespace gannet {
namespace {

constexpr int64_t most_test_images = 10000;
constexpr int64_t most_neighbours = 1000;  // samples whose nearest training image is looked for: a second or two
constexpr double real_twins = 0.01;        // the share of test images that the distance of a near-twin makes near-twins

// The classifier's own data. Of "folder" there is no other split than the one it was trained with.
Dataset split(const Classifier& classifier, bool test) {
    DatasetOptions options = dataset_options(classifier.config().data);
    if (!options.path.empty() && !exists(options.path))
        throw Error("the classifier's data set does not exist", options.path + ", " + options.where("path"),
                    "give its path with --data PATH");
    if (!test) return load_and_show(options);
    if (options.set == "folder") return {};
    options.split = "test";
    options.first = 0;
    return load_and_show(options);
}

class Evaluator {
public:
    Evaluator(const Classifier& classifier, const Samples& samples)
        : classifier_(classifier),
          samples_(samples.pixels),
          size_(classifier.image().size()),
          training_(training()),
          test_(evenly(split(classifier, true).pixels, size_, most_test_images)) {
        kernels::cpu::set_exact_convolutions(classifier.config().cpu.boolean("exact"));
        if (samples.made != classifier.image())
            warn("the samples are " + samples.made.str() + " and were made " + classifier.image().str() +
                 ", as the classifier takes them");
        if (test_.empty()) warn("the classifier's data set has no test split: without frechet_floor, data_median and duplicates");
    }

    config::Members run() {
        const Readings readings = classifier_.read(samples_);
        classes(readings);
        frechet(readings);
        neighbours();
        duplicates();
        out_.emplace_back("warnings", std::move(warnings_));
        return std::move(out_);
    }

private:
    std::vector<uint8_t> training() {
        Dataset data = split(classifier_, false);
        if (!classifier_.was_trained_on(data))
            warn("the classifier was trained with other images or labels than its data set holds now");
        return std::move(data.pixels);
    }
    int64_t count(const std::vector<uint8_t>& pixels) const { return int64_t(pixels.size()) / size_; }
    void warn(const std::string& line) { warnings_.emplace_back(line); }

    void classes(const Readings& readings) {
        const ClassFigures figures = class_figures(readings.labels, readings.classes);
        out_.emplace_back("shares", config::List(figures.shares.begin(), figures.shares.end()));
        out_.emplace_back("modes", figures.modes);
        out_.emplace_back("entropy", figures.entropy);
        const std::vector<double>& sure = readings.confidence;
        out_.emplace_back("mean_confidence", std::accumulate(sure.begin(), sure.end(), 0.0) / double(sure.size()));
    }

    // Null, with a warning, where one of the sets is too small for it.
    config::Value distance(const std::string& figure, const Moments& a, const Moments& b) {
        const auto size = int64_t(a.mean.size()), fewer = std::min(a.count, b.count);
        if (fewer > size) return frechet_distance(a, b);
        warn(figure + " is left out: " + grouped(fewer) + " images are too few for the covariance of " + grouped(size) +
             " features; take at least " + grouped(size + 1) + ", better 10,000");
        return nullptr;
    }

    void frechet(const Readings& readings) {
        const auto moments = [](const Readings& r) { return moments_of(r.features, r.feature_size); };
        const Moments found = moments(readings), training = moments(classifier_.read(training_));
        config::Value value = distance("frechet", found, training), floor = nullptr;
        if (!test_.empty()) floor = distance("frechet_floor", moments(classifier_.read(test_)), training);
        if (!value.is_null() && !floor.is_null() && found.count < count(test_))
            warn("the Frechet distance of fewer images is larger: compare that of " + grouped(found.count) +
                 " samples with that of as many only (frechet_floor is of " + grouped(count(test_)) + ")");
        out_.emplace_back("frechet", std::move(value));
        out_.emplace_back("frechet_floor", std::move(floor));
    }

    void neighbours() {
        const std::vector<double> found = nearest_distances(evenly(samples_, size_, most_neighbours), training_, size_);
        config::Members figures = {{"median", quantile(found, 0.5)}, {"min", quantile(found, 0)}, {"data_median", nullptr}};
        if (!test_.empty())
            figures.back().second = quantile(nearest_distances(evenly(test_, size_, most_neighbours), training_, size_), 0.5);
        out_.emplace_back("nearest_training_distance", std::move(figures));
    }

    // Among as many samples as test images: the more there are, the nearer is the nearest.
    void duplicates() {
        const int64_t here = std::min(count(samples_), count(test_));
        if (here < 2) {
            out_.emplace_back("duplicates", nullptr);
            out_.emplace_back("duplicate_distance", nullptr);
            return;
        }
        const double limit = quantile(nearest_others(evenly(test_, size_, here), size_), real_twins);
        out_.emplace_back("duplicates", share_of_twins(evenly(samples_, size_, here), size_, limit));
        out_.emplace_back("duplicate_distance", limit);
    }

    const Classifier& classifier_;
    const std::vector<uint8_t>& samples_;
    int64_t size_;
    config::List warnings_;
    std::vector<uint8_t> training_, test_;
    config::Members out_;
};

}  // namespace

config::Members evaluate(const Classifier& classifier, const Samples& samples) { return Evaluator(classifier, samples).run(); }

}  // namespace gannet
