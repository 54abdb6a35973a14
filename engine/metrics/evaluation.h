// Measures the quality of samples, compared with real images and by a trained classifier. docs/evaluate.md defines every metric.
#pragma once
#include "engine/classifier/classifier.h"
#include "engine/metrics/real_images.h"
#include "engine/metrics/samples.h"

namespace gannet {

// The distribution of samples over the classes of a classifier.
constexpr double mode_share = 0.01;  // a class with at least this share of the samples counts as a mode

struct ClassFigures {
    std::vector<double> shares;  // of each class, 0 to 1
    int64_t modes = 0;           // classes with at least mode_share
    double entropy = 0;          // -sum share ln share, in nats: ln(classes) if all are equally frequent, 0 for a single class
};

// `labels` are from 0 to classes - 1, and at least one.
ClassFigures class_figures(const std::vector<int64_t>& labels, int64_t classes);

// The metrics and the warnings, as apps/evaluate prints them. `samples` (at least one) and `reals` have the shape of the
// classifier's input. Without a classifier (null), the metrics that need one are null, and `no_classifier` is the warning.
json::Members evaluate(const Samples& samples, const RealImages& reals, const Classifier* classifier,
                       const std::string& no_classifier, ThreadPool& threads, const LoadProgress& progress);

}  // namespace gannet
