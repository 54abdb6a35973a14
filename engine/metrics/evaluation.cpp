#include "engine/metrics/evaluation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "engine/metrics/frechet.h"
#include "engine/metrics/nearest.h"

namespace gannet {
namespace {

constexpr int64_t most_neighbours = 1000;      // samples compared with the training images: takes a second or two
constexpr int64_t most_searched = 10000;       // images that are searched for near-duplicates
constexpr double real_near_duplicates = 0.01;  // the share of real images that count as near-duplicates

// If there is no test split, the held-out training images, or the others.
template <class T>
Rows<T> part(const std::vector<T>& all, int64_t size, bool held_out) {
    return {all, size, [=](int64_t i) { return RealImages::is_held_out(i) == held_out; }};
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
            frechet(of_samples());
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
    void warn(const std::string& line) { warnings_.emplace_back(line); }
    CompareProgress comparing(const char* what) const {
        return [this, what](int64_t done, int64_t all) { progress_(what, done, all); };
    }

    // Adds the distribution over classes, and returns the moments of the features.
    Moments of_samples() {
        try {
            const Predictions predictions = classifier_->predict(samples_, progress_);
            classes(predictions);
            return moments({predictions.features, predictions.feature_size});
        } catch (const LackOfMemory& error) {
            throw error.with_advice("give the program more memory, or lower -n");
        }
    }

    // Without a covariance if there are too few images for it.
    Moments moments(const Rows<float>& features) {
        if (features.count() <= features.size) return {features.count(), std::vector<double>(std::size_t(features.size)), {}};
        if (!std::exchange(checked_, true))
            if (const std::string lack = lack_of_memory(frechet_bytes(features.size), free_memory()); !lack.empty())
                throw LackOfMemory("the covariances of " + counted(features.size, "feature") + " take " + lack, "classifier",
                                   "give the program more memory, or use a classifier with a smaller last layer");
        return moments_of(features);
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

    // Each set's features are freed before those of the next are taken.
    void frechet(const Moments& found) {
        Moments training, test, rest;  // test and rest: two disjoint sets of real images
        {
            const Predictions all = classifier_->predict(real_.training, progress_);
            const auto moments_of_part = [&](bool held_out) { return moments(part(all.features, all.feature_size, held_out)); };
            training = moments({all.features, all.feature_size});
            if (real_.test.empty()) test = moments_of_part(true), rest = moments_of_part(false);
        }
        if (!real_.test.empty()) {
            const Predictions all = classifier_->predict(real_.test, progress_);
            test = moments({all.features, all.feature_size});
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

    double median_distance(const ImageRows& images, const ImageRows& among, double* least) const {
        const std::vector<double> found =
            nearest_distances(evenly(images, most_neighbours), among, threads_, comparing("comparing with training images"));
        if (least) *least = quantile(found, 0);
        return quantile(found, 0.5);
    }

    void neighbours() {
        double least = 0;
        const ImageRows training(real_.training, size_);
        const double median = median_distance({samples_, size_}, training, &least);
        json::Members figures = {{"median", median}, {"min", least}, {"data_median", nullptr}};
        if (!real_.test.empty()) {
            figures.back().second = median_distance({real_.test, size_}, training, nullptr);
        } else if (const ImageRows held_out = part(real_.training, size_, true); held_out.count() > 0) {
            figures.back().second = median_distance(held_out, part(real_.training, size_, false), nullptr);
        } else {
            warn("data_median is omitted: " + counted(real_.count(), "image") + ", and holding out a tenth needs 10");
        }
        out_.emplace_back("nearest_training_distance", std::move(figures));
    }

    // With the same number of samples and real images, because nearest distances shrink as the number grows.
    void duplicates() {
        const ImageRows samples(samples_, size_), reals(real_.test.empty() ? real_.training : real_.test, size_);
        const int64_t here = std::min({samples.count(), reals.count(), most_searched});
        if (here < 2) {
            warn("duplicates are omitted: at least two samples and two real images are needed");
            out_.emplace_back("duplicates", nullptr);
            out_.emplace_back("duplicate_distance", nullptr);
            return;
        }
        const CompareProgress progress = comparing("looking for near-duplicates");
        const double limit = quantile(nearest_others(evenly(reals, here), threads_, progress), real_near_duplicates);
        out_.emplace_back("duplicates", share_of_near_duplicates(evenly(samples, here), limit, threads_, progress));
        out_.emplace_back("duplicate_distance", limit);
    }

    const std::vector<uint8_t>& samples_;
    const RealImages& real_;
    const Classifier* classifier_;
    ThreadPool& threads_;
    const LoadProgress& progress_;
    int64_t size_;
    bool checked_ = false;  // that memory holds the covariances
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
