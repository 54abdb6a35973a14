#include "engine/metrics/evaluation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/text.h"
#include "engine/metrics/frechet.h"
#include "engine/metrics/nearest.h"

namespace gannet {
namespace {

constexpr int64_t most_neighbours = 1000;      // samples compared with the training images: takes a second or two
constexpr int64_t most_searched = 10000;       // images that are searched for near-duplicates
constexpr double real_near_duplicates = 0.01;  // the share of real images that count as near-duplicates

// `all` has rows of `size` values. Returns the rows that are held out, or the others.
template <class T>
std::vector<T> part(const std::vector<T>& all, int64_t size, bool held_out) {
    std::vector<T> out;
    for (int64_t i = 0; i < int64_t(all.size()) / size; ++i)
        if (RealImages::is_held_out(i) == held_out) out.insert(out.end(), all.begin() + i * size, all.begin() + (i + 1) * size);
    return out;
}

class Evaluator {
public:
    Evaluator(const Samples& samples, const RealImages& reals, const Classifier* classifier, ThreadPool& threads,
              const LoadProgress& progress)
        : samples_(samples.pixels),
          real_(reals),
          classifier_(classifier),
          threads_(threads),
          progress_(progress),
          size_(reals.image.size()) {
        for (const auto* lines : {&samples.warnings, &reals.warnings})
            for (const std::string& line : *lines) warn(line);
        if (classifier)
            for (const std::string& line : classifier->warnings()) warn(line);
    }

    json::Members run(const std::string& no_classifier) {
        if (classifier_) {
            const Predictions predictions = classifier_->predict(samples_, progress_);
            classes(predictions);
            frechet(predictions);
        } else {
            warn(no_classifier);
            for (const char* name : {"shares", "modes", "entropy", "mean_confidence", "frechet", "frechet_floor"})
                out_.emplace_back(name, nullptr);
        }
        neighbours();
        duplicates();
        out_.emplace_back("warnings", std::move(warnings_));
        return std::move(out_);
    }

private:
    int64_t count(const std::vector<uint8_t>& pixels) const { return int64_t(pixels.size()) / size_; }
    void warn(const std::string& line) { warnings_.emplace_back(line); }
    CompareProgress comparing(const char* what) const {
        return [this, what](int64_t done, int64_t all) { progress_(what, done, all); };
    }

    void classes(const Predictions& predictions) {
        const ClassFigures figures = class_figures(predictions.labels, predictions.classes);
        out_.emplace_back("shares", json::List(figures.shares.begin(), figures.shares.end()));
        out_.emplace_back("modes", figures.modes);
        out_.emplace_back("entropy", figures.entropy);
        const std::vector<double>& sure = predictions.confidence;
        out_.emplace_back("mean_confidence", std::accumulate(sure.begin(), sure.end(), 0.0) / double(sure.size()));
    }

    // Null, with a warning, if one of the sets is too small.
    json::Value distance(const std::string& figure, const Moments& a, const Moments& b) {
        const auto size = int64_t(a.mean.size()), fewer = std::min(a.count, b.count);
        if (fewer > size) {
            progress_("computing Frechet distances", figure == "frechet" ? 0 : 1, 2);
            return frechet_distance(a, b);
        }
        warn(figure + " is omitted: " + counted(fewer, "image is", "images are") + " too few for the covariance of " +
             counted(size, "feature") + "; use at least " + grouped(size + 1) + ", better 10,000");
        return nullptr;
    }

    void frechet(const Predictions& predictions) {
        const auto moments = [](const Predictions& r) { return moments_of(r.features, r.feature_size); };
        const Predictions of_training = classifier_->predict(real_.training, progress_);
        const Moments found = moments(predictions), training = moments(of_training);
        Moments test, rest;  // two disjoint sets of real images
        if (real_.test.empty()) {
            const int64_t size = of_training.feature_size;
            test = moments_of(part(of_training.features, size, true), size);
            rest = moments_of(part(of_training.features, size, false), size);
        } else {
            test = moments(classifier_->predict(real_.test, progress_));
            rest = training;
        }
        json::Value value = distance("frechet", found, training), floor = distance("frechet_floor", test, rest);
        if (!value.is_null() && !floor.is_null() && found.count < test.count)
            warn("the Frechet distance grows as the number of images falls: compare this one, of " +
                 counted(found.count, "sample") + ", only with distances of the same number of samples (frechet_floor uses " +
                 grouped(test.count) + ")");
        out_.emplace_back("frechet", std::move(value));
        out_.emplace_back("frechet_floor", std::move(floor));
    }

    double median_distance(const std::vector<uint8_t>& images, const std::vector<uint8_t>& among, double* least) const {
        const std::vector<double> found = nearest_distances(evenly(images, size_, most_neighbours), among, size_, threads_,
                                                            comparing("comparing with training images"));
        if (least) *least = quantile(found, 0);
        return quantile(found, 0.5);
    }

    void neighbours() {
        double least = 0;
        const double median = median_distance(samples_, real_.training, &least);
        json::Members figures = {{"median", median}, {"min", least}, {"data_median", nullptr}};
        if (!real_.test.empty()) {
            figures.back().second = median_distance(real_.test, real_.training, nullptr);
        } else if (const std::vector<uint8_t> held_out = part(real_.training, size_, true); !held_out.empty()) {
            figures.back().second = median_distance(held_out, part(real_.training, size_, false), nullptr);
        } else {
            warn("data_median is omitted: " + counted(real_.count(), "image") + ", and holding out a tenth needs 10");
        }
        out_.emplace_back("nearest_training_distance", std::move(figures));
    }

    // With the same number of samples and real images, because nearest distances shrink as the number grows.
    void duplicates() {
        const std::vector<uint8_t>& reals = real_.test.empty() ? real_.training : real_.test;
        const int64_t here = std::min({count(samples_), count(reals), most_searched});
        if (here < 2) {
            warn("duplicates are omitted: at least two samples and two real images are needed");
            out_.emplace_back("duplicates", nullptr);
            out_.emplace_back("duplicate_distance", nullptr);
            return;
        }
        const CompareProgress progress = comparing("looking for near-duplicates");
        const double limit =
            quantile(nearest_others(evenly(reals, size_, here), size_, threads_, progress), real_near_duplicates);
        out_.emplace_back("duplicates",
                          share_of_near_duplicates(evenly(samples_, size_, here), size_, limit, threads_, progress));
        out_.emplace_back("duplicate_distance", limit);
    }

    const std::vector<uint8_t>& samples_;
    const RealImages& real_;
    const Classifier* classifier_;
    ThreadPool& threads_;
    const LoadProgress& progress_;
    int64_t size_;
    json::Members out_;
    json::List warnings_;
};

}  // namespace

ClassFigures class_figures(const std::vector<int64_t>& labels, int64_t classes) {
    std::vector<int64_t> counts(std::size_t(classes), 0);
    for (const int64_t label : labels) ++counts[std::size_t(label)];
    ClassFigures out;
    for (const int64_t count : counts) {
        const double share = double(count) / double(labels.size());
        out.shares.push_back(share);
        out.modes += share >= mode_share ? 1 : 0;
        if (count > 0) out.entropy -= share * std::log(share);
    }
    return out;
}

json::Members evaluate(const Samples& samples, const RealImages& reals, const Classifier* classifier,
                       const std::string& no_classifier, ThreadPool& threads, const LoadProgress& progress) {
    return Evaluator(samples, reals, classifier, threads, progress).run(no_classifier);
}

}  // namespace gannet
