// L2 distances between images with pixels from 0 to 1. Sums are of integers, so all machines give the same results.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/metrics/rows.h"
#include "kernels/cpu/parallel.h"

namespace gannet {

// Reports the number of compared images. Called on the caller's thread.
using CompareProgress = std::function<void(int64_t done, int64_t all)>;

using ImageRows = Rows<uint8_t>;

// For each image, the distance to the nearest of `among`, which has at least one image.
std::vector<double> nearest_distances(const ImageRows& images, const ImageRows& among, ThreadPool& threads,
                                      const CompareProgress& progress = {});

// For each of at least two images, the distance to the nearest of the others.
std::vector<double> nearest_others(const ImageRows& images, ThreadPool& threads, const CompareProgress& progress = {});

// The share of at least two images that have another image at most `distance` away.
double share_of_near_duplicates(const ImageRows& images, double distance, ThreadPool& threads,
                                const CompareProgress& progress = {});

// The quantile q (0 to 1) of at least one value, with linear interpolation as in numpy.quantile; 0.5 is the median.
double quantile(std::vector<double> values, double q);

}  // namespace gannet
