// Measures the quality of samples, compared with real images and by a trained classifier. docs/evaluate.md defines every metric.
#pragma once
#include "engine/classifier/classifier.h"
#include "engine/metrics/real_images.h"
#include "engine/metrics/samples.h"

namespace gannet {

// The metrics and the warnings, as apps/evaluate prints them. `samples` (at least one) and `reals` have the shape of the
// classifier's input. Without a classifier (null), the metrics that need one are null, and `no_classifier` is the warning.
json::Members evaluate(const Samples& samples, const RealImages& reals, const Classifier* classifier,
                       const std::string& no_classifier, ThreadPool& threads, const LoadProgress& progress);

}  // namespace gannet
