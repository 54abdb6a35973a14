#include "engine/metrics/nearest.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

namespace gannet {
namespace {

constexpr int64_t at_once = 16;  // images per task: they stay in the cache while all others are streamed
constexpr int64_t block = 128;   // pixels between two checks of the partial sum

// GCC uses 16-bit multiply-adds only for a compile-time count.
template <int64_t count>
int32_t squared_difference(const uint8_t* a, const uint8_t* b) {
    int32_t sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        const auto d = int16_t(int16_t(a[i]) - int16_t(b[i]));
        sum += int32_t(d) * int32_t(d);
    }
    return sum;
}

// The squared distance in grey levels. Stops early, with some number >= `enough`, once the distance is known to be >= `enough`.
int64_t squared_distance(const uint8_t* a, const uint8_t* b, int64_t size, int64_t enough) {
    int64_t sum = 0, at = 0;
    for (; at + block <= size; at += block) {
        sum += squared_difference<block>(a + at, b + at);
        if (sum >= enough) return sum;
    }
    for (; at + 16 <= size; at += 16) sum += squared_difference<16>(a + at, b + at);
    for (; at < size; ++at) sum += squared_difference<1>(a + at, b + at);
    return sum;
}

enum class Among { all, others };  // others: the images themselves, each compared with all others

// For each image, the squared distance to the nearest of `among`, or `limit` if none is nearer. The search for an image ends when
// a distance is below `good_enough`.
std::vector<int64_t> nearest(const ImageRows& images, const ImageRows& among, Among which, int64_t limit, int64_t good_enough,
                             ThreadPool& threads, const CompareProgress& progress) {
    const int64_t count = images.count(), all = among.count();
    std::vector<int64_t> best(std::size_t(count), limit);
    std::atomic<int64_t> done = 0;
    const std::thread::id caller = std::this_thread::get_id();
    parallel_for(threads, (count + at_once - 1) / at_once, [&](int64_t task) {
        const int64_t begin = task * at_once, end = std::min(count, begin + at_once);
        for (int64_t j = 0; j < all; ++j)
            for (int64_t i = begin; i < end; ++i) {
                int64_t& least = best[std::size_t(i)];
                if (least < good_enough || (which == Among::others && i == j)) continue;
                least = std::min(least, squared_distance(images[i], among[j], images.size, least));
            }
        done += end - begin;
        if (progress && std::this_thread::get_id() == caller) progress(done, count);
    });
    return best;
}

std::vector<double> distances(const std::vector<int64_t>& squared) {
    std::vector<double> out;
    for (const int64_t d : squared) out.push_back(std::sqrt(double(d)) / 255);
    return out;
}

constexpr int64_t any = std::numeric_limits<int64_t>::max();

}  // namespace

std::vector<double> nearest_distances(const ImageRows& images, const ImageRows& among, ThreadPool& threads,
                                      const CompareProgress& progress) {
    return distances(nearest(images, among, Among::all, any, 0, threads, progress));
}

std::vector<double> nearest_others(const ImageRows& images, ThreadPool& threads, const CompareProgress& progress) {
    return distances(nearest(images, images, Among::others, any, 0, threads, progress));
}

double share_of_near_duplicates(const ImageRows& images, double distance, ThreadPool& threads, const CompareProgress& progress) {
    // a distance from nearest_others() is the square root of an integer, which is recovered here
    const auto limit = int64_t(255 * distance * 255 * distance * (1 + 1e-12)) + 1;
    const std::vector<int64_t> found = nearest(images, images, Among::others, limit, limit, threads, progress);
    return double(std::count_if(found.begin(), found.end(), [&](int64_t d) { return d < limit; })) / double(found.size());
}

double quantile(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    const double place = q * double(values.size() - 1);
    const auto below = std::size_t(place);
    const double t = place - double(below);
    return t > 0 ? values[below] * (1 - t) + values[below + 1] * t : values[below];
}

}  // namespace gannet
