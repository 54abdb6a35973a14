// What samples are worth by a trained classifier and the data it was trained with. docs/evaluate.md defines every figure.
#pragma once
#include "engine/classifier/classifier.h"
#include "engine/metrics/samples.h"

namespace gannet {

// The figures and the warnings, as apps/evaluate prints them. `samples` are of the classifier's shape, and at least one.
config::Members evaluate(const Classifier& classifier, const Samples& samples);

}  // namespace gannet
