// Distances between images: L2, of pixels from 0 to 1. All sums are of integers, so all machines give the same results.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace gannet {

// Reports the number of compared images. Called on the caller's thread.
using CompareProgress = std::function<void(int64_t done, int64_t all)>;

// Images are rows of `size` bytes. Of each of `images`, the distance to the nearest of `among`, of which there is at least one.
std::vector<double> nearest_distances(const std::vector<uint8_t>& images, const std::vector<uint8_t>& among, int64_t size,
                                      ThreadPool& threads, const CompareProgress& progress = {});

// The same to the nearest of the others, of at least two images.
std::vector<double> nearest_others(const std::vector<uint8_t>& images, int64_t size, ThreadPool& threads,
                                   const CompareProgress& progress = {});

// The share of the images that have another one at most `distance` away, of at least two images.
double share_of_twins(const std::vector<uint8_t>& images, int64_t size, double distance, ThreadPool& threads,
                      const CompareProgress& progress = {});

// Of at least one value, 0 <= q <= 1, linear between two as numpy.quantile; 0.5 is the median.
double quantile(std::vector<double> values, double q);

// At most `most` of the images, evenly spread over all.
std::vector<uint8_t> evenly(const std::vector<uint8_t>& images, int64_t size, int64_t most);

}  // namespace gannet
