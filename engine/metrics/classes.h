// The distribution of samples over the classes of a classifier.
#pragma once
#include <cstdint>
#include <vector>

namespace gannet {

constexpr double mode_share = 0.01;  // a class with at least this share of the samples counts as a mode

struct ClassFigures {
    std::vector<double> shares;  // of each class, 0 to 1
    int64_t modes = 0;           // classes with at least mode_share
    double entropy = 0;          // -sum share ln share, in nats: ln(classes) if all are equally frequent, 0 for a single class
};

// `labels` are from 0 to classes - 1, and at least one.
ClassFigures class_figures(const std::vector<int64_t>& labels, int64_t classes);

}  // namespace gannet
