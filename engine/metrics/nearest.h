// L2 distances between images with pixels from 0 to 1. Sums are of integers, so all machines give the same results.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace gannet {

// Reports the number of compared images. Called on the caller's thread.
using CompareProgress = std::function<void(int64_t done, int64_t all)>;

// For each image, the distance to the nearest of `among`, which has at least one image. An image is a row of `size` bytes.
std::vector<double> nearest_distances(const std::vector<uint8_t>& images, const std::vector<uint8_t>& among, int64_t size,
                                      ThreadPool& threads, const CompareProgress& progress = {});

// For each of at least two images, the distance to the nearest of the others.
std::vector<double> nearest_others(const std::vector<uint8_t>& images, int64_t size, ThreadPool& threads,
                                   const CompareProgress& progress = {});

// The share of at least two images that have another image at most `distance` away.
double share_of_near_duplicates(const std::vector<uint8_t>& images, int64_t size, double distance, ThreadPool& threads,
                                const CompareProgress& progress = {});

// The quantile q (0 to 1) of at least one value, with linear interpolation as in numpy.quantile; 0.5 is the median.
double quantile(std::vector<double> values, double q);

// At most `most` of the images, evenly spaced.
std::vector<uint8_t> evenly(const std::vector<uint8_t>& images, int64_t size, int64_t most);

}  // namespace gannet
