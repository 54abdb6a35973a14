// Metrics of samples: Frechet distance against closed forms, classes, nearest neighbours and near-duplicates.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "engine/metrics/evaluation.h"
#include "engine/metrics/frechet.h"
#include "engine/metrics/nearest.h"
#include "tests/temporary.h"
#include "tests/threads.h"

using namespace gannet;

namespace {

// Rows with an exact sample mean and covariance: `mean` plus and minus sqrt(variance (n - 1) / 2) along each axis; n rows.
std::vector<float> cross(const std::vector<double>& mean, const std::vector<double>& variances) {
    std::vector<float> rows;
    for (std::size_t axis = 0; axis < mean.size(); ++axis)
        for (int sign : {-1, 1})
            for (std::size_t i = 0; i < mean.size(); ++i)
                rows.push_back(
                    float(mean[i] + (i == axis ? sign * std::sqrt(variances[i] * double(2 * mean.size() - 1) / 2) : 0)));
    return rows;
}

Moments moments(const std::vector<double>& mean, const std::vector<double>& covariance) { return {1000, mean, covariance}; }

std::vector<uint8_t> noise(int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<uint8_t> bytes;
    for (int64_t i = 0; i < count; ++i) bytes.push_back(uint8_t(random() >> 24));
    return bytes;
}

// Reference with plain loops in double.
double plain_nearest(const uint8_t* image, const std::vector<uint8_t>& among, int64_t size, int64_t except) {
    double best = INFINITY;
    for (int64_t j = 0; j < int64_t(among.size()) / size; ++j) {
        double sum = 0;
        for (int64_t i = 0; i < size; ++i)
            sum += std::pow((double(image[i]) - double(among[std::size_t(j * size + i)])) / 255, 2);
        if (j != except) best = std::min(best, std::sqrt(sum));
    }
    return best;
}

}  // namespace

TEST_CASE("metrics: moments equal those of numpy.cov") {
    // numpy.cov([[1, 2], [3, 5], [8, 4]], rowvar=False)
    const Moments m = moments_of({{1, 2, 3, 5, 8, 4}, 2});
    CHECK(m.count == 3);
    CHECK(m.mean[0] == doctest::Approx(4));
    CHECK(m.mean[1] == doctest::Approx(11 / 3.0));
    const double expected[] = {13, 2.5, 2.5, 7 / 3.0};
    for (std::size_t i = 0; i < 4; ++i) CHECK(m.covariance[i] == doctest::Approx(expected[i]).epsilon(1e-14));
    // more rows than one partial sum, far from 0
    std::vector<float> rows;
    for (int i = 0; i < 2500; ++i) rows.push_back(float(4096 + i % 2));
    CHECK(moments_of({rows, 1}).mean[0] == doctest::Approx(4096.5).epsilon(1e-15));
    CHECK(moments_of({rows, 1}).covariance[0] == doctest::Approx(0.25 * 2500 / 2499).epsilon(1e-12));
    CHECK(std::isnan(moments_of({{1, 2}, 2}).covariance[0]));
}

TEST_CASE("metrics: Frechet distance against closed forms") {
    const std::vector<double> zero{0, 0, 0}, shift{1, -2, 0.5}, narrow{1, 4, 0.25}, wide{9, 1, 0};
    const Moments a = moments_of({cross(zero, narrow), 3}), b = moments_of({cross(shift, narrow), 3}),
                  c = moments_of({cross(shift, wide), 3});
    CHECK(frechet_distance(a, a) == doctest::Approx(0).epsilon(1e-12));
    CHECK(frechet_distance(a, b) == doctest::Approx(5.25).epsilon(1e-6));  // the rows are float
    // diagonal covariances: |d|^2 + sum of (sqrt(s) - sqrt(t))^2; one of the variances is 0
    CHECK(frechet_distance(a, c) == doctest::Approx(5.25 + 4 + 1 + 0.25).epsilon(1e-6));
    CHECK(frechet_distance(c, a) == doctest::Approx(5.25 + 4 + 1 + 0.25).epsilon(1e-6));
    CHECK(frechet_distance(moments(zero, {0, 0, 0, 0, 0, 0, 0, 0, 0}), b) == doctest::Approx(5.25 + 5.25).epsilon(1e-6));
    // 2 x 2 matrices that do not commute: tr sqrt(S T) = sqrt(tr(S T) + 2 sqrt(det S det T))
    const std::vector<double> s{2, 1, 1, 3}, t{5, -2, -2, 1};
    const double trace = 2 * 5 - 2 - 2 + 3, root = std::sqrt(trace + 2 * std::sqrt(5.0 * 1.0));
    CHECK(frechet_distance(moments({0, 0}, s), moments({3, 4}, t)) == doctest::Approx(25 + 5 + 6 - 2 * root).epsilon(1e-12));
}

TEST_CASE("metrics: the square root of a rank-deficient matrix is real; sizes and counts are checked") {
    // All features are equal: the rank is 1, and rounding makes the other eigenvalues positive or negative.
    std::vector<float> rows;
    for (int i = 0; i < 100; ++i) rows.insert(rows.end(), 20, float(std::sin(i)));
    const Moments flat = moments_of({rows, 20});
    CHECK(frechet_distance(flat, flat) >= 0);
    CHECK(frechet_distance(flat, flat) < 1e-6);
    for (float& value : rows) value += 1;
    CHECK(frechet_distance(flat, moments_of({rows, 20})) == doctest::Approx(20).epsilon(1e-6));

    Moments few = moments({0, 0, 0}, {1, 0, 0, 0, 1, 0, 0, 0, 1}), enough = few;
    for (int64_t count : {2, 3}) {
        few.count = count;
        CHECK(has(error_of([&] { frechet_distance(few, enough); }),
                  std::to_string(count) + " rows of 3 features (frechet_distance): use at least 4"));
        CHECK(has(error_of([&] { frechet_distance(enough, few); }), "use at least 4"));
    }
    few.count = 4;
    CHECK(frechet_distance(few, enough) == doctest::Approx(0));
    CHECK(has(error_of([&] { frechet_distance(few, moments({0}, {1})); }), "3 features in one set, 1 in the other"));
    few.mean[1] = NAN;
    CHECK(has(error_of([&] { frechet_distance(few, enough); }), "not finite"));
    enough.covariance[4] = INFINITY;
    CHECK(has(error_of([&] { frechet_distance(enough, enough); }), "not finite"));
}

TEST_CASE("metrics: shares, modes and entropy") {
    const ClassFigures even = class_figures({0, 1, 2, 3, 3, 2, 1, 0}, 4);
    CHECK(even.shares == std::vector<double>{0.25, 0.25, 0.25, 0.25});
    CHECK(even.modes == 4);
    CHECK(even.entropy == doctest::Approx(std::log(4.0)));
    const ClassFigures one = class_figures({2, 2, 2}, 4);
    CHECK(one.shares == std::vector<double>{0, 0, 1, 0});
    CHECK(one.modes == 1);
    CHECK(one.entropy == 0);
    std::vector<int64_t> labels(1000, 0);
    for (std::size_t i = 0; i < 10; ++i) labels[i] = 1;   // 1 %
    for (std::size_t i = 10; i < 19; ++i) labels[i] = 2;  // slightly less
    const ClassFigures rare = class_figures(labels, 3);
    CHECK(rare.modes == 2);
    CHECK(rare.entropy == doctest::Approx(-0.981 * std::log(0.981) - 0.01 * std::log(0.01) - 0.009 * std::log(0.009)));
}

TEST_CASE("metrics: nearest neighbours against plain loops") {
    for (int64_t size : {1, 3, 33, 255, 256, 257, 784, 1025}) {
        const std::vector<uint8_t> images = noise(37 * size, 1), among = noise(53 * size, 2);
        const std::vector<double> to_all = nearest_distances({images, size}, {among, size}, threads()),
                                  to_others = nearest_others({images, size}, threads());
        REQUIRE(to_all.size() == 37);
        REQUIRE(to_others.size() == 37);
        for (int64_t i = 0; i < 37; ++i) {
            const uint8_t* image = &images[std::size_t(i * size)];
            CHECK(to_all[std::size_t(i)] == doctest::Approx(plain_nearest(image, among, size, -1)).epsilon(1e-12));
            CHECK(to_others[std::size_t(i)] == doctest::Approx(plain_nearest(image, images, size, i)).epsilon(1e-12));
        }
    }
    // black and white: the largest possible sums
    const std::vector<uint8_t> black(200000, 0), white(200000, 255);
    CHECK(nearest_distances({black, 200000}, {white, 200000}, threads())[0] == doctest::Approx(std::sqrt(200000.0)));
    CHECK(nearest_distances({black, 200000}, {black, 200000}, threads())[0] ==
          0);  // an image also in the other set has distance 0
}

TEST_CASE("metrics: planted near-duplicates are found, and no others") {
    constexpr int64_t size = 300, count = 100;
    std::vector<uint8_t> images = noise(count * size, 3);
    CHECK(share_of_near_duplicates({images, size}, 1, threads()) == 0);
    const auto row = [&](int64_t i) { return images.begin() + i * size; };
    std::copy_n(row(10), size, row(90));  // an exact copy
    CHECK(share_of_near_duplicates({images, size}, 0, threads()) == doctest::Approx(0.02));
    std::copy_n(row(20), size, row(80));  // differs by 1 and 2 levels, in the first and the last pixel
    row(80)[0] = uint8_t(row(20)[0] ^ 1), row(80)[size - 1] = uint8_t(row(20)[size - 1] ^ 2);
    const double apart = std::sqrt(5.0) / 255;
    CHECK(nearest_others({images, size}, threads())[80] == doctest::Approx(apart));
    CHECK(share_of_near_duplicates({images, size}, 0, threads()) == doctest::Approx(0.02));
    CHECK(share_of_near_duplicates({images, size}, apart * 0.99, threads()) == doctest::Approx(0.02));
    CHECK(share_of_near_duplicates({images, size}, nearest_others({images, size}, threads())[80], threads()) ==
          doctest::Approx(0.04));         // the limit is inclusive
    std::copy_n(row(10), size, row(11));  // three equal images are three near-duplicates
    CHECK(share_of_near_duplicates({images, size}, 0, threads()) == doctest::Approx(0.03));
    // With the 1 % quantile of the distances as the limit, 1 % of the images are near-duplicates, or one more, because they come
    // in pairs.
    const std::vector<uint8_t> different = noise(400 * size, 4);
    const double share =
        share_of_near_duplicates({different, size}, quantile(nearest_others({different, size}, threads()), 0.01), threads());
    CHECK(share >= 0.01);
    CHECK(share <= 0.0125);
}

TEST_CASE("metrics: quantiles equal NumPy's, and subsets are evenly spaced") {
    CHECK(quantile({3, 1, 2}, 0.5) == 2);
    CHECK(quantile({4, 1, 3, 2}, 0.5) == 2.5);
    CHECK(quantile({5, 1, 2, 3, 4}, 0.1) == doctest::Approx(1.4));
    CHECK(quantile({5, 1}, 0) == 1);
    CHECK(quantile({5, 1}, 1) == 5);
    CHECK(quantile({7}, 0.3) == 7);
    const std::vector<uint8_t> images{0, 0, 1, 1, 2, 2, 3, 3, 4, 4};
    const auto chosen = [&](int64_t most) { return evenly(ImageRows(images, 2), most).numbers; };
    CHECK(chosen(5) == std::vector<int64_t>{0, 1, 2, 3, 4});
    CHECK(chosen(9) == std::vector<int64_t>{0, 1, 2, 3, 4});
    CHECK(chosen(2) == std::vector<int64_t>{0, 2});
    CHECK(chosen(3) == std::vector<int64_t>{0, 1, 3});
    CHECK(*evenly(ImageRows(images, 2), 3)[2] == 3);
}

TEST_CASE("metrics: chosen rows give the same results as a copy of them") {
    const int64_t size = 30;
    const std::vector<uint8_t> pixels = noise(2100 * size, 5);
    const std::vector<float> features(pixels.begin(), pixels.end());
    std::vector<uint8_t> some_pixels;
    std::vector<float> some_features;
    const auto odd = [](int64_t i) { return i % 2 == 1; };
    for (int64_t i = 1; i < 2100; i += 2) {
        some_pixels.insert(some_pixels.end(), pixels.begin() + i * size, pixels.begin() + (i + 1) * size);
        some_features.insert(some_features.end(), features.begin() + i * size, features.begin() + (i + 1) * size);
    }
    const Moments a = moments_of({features, size, odd}), b = moments_of({some_features, size});
    CHECK(a.count == 1050);
    CHECK(a.mean == b.mean);
    CHECK(a.covariance == b.covariance);
    CHECK(nearest_others({pixels, size, odd}, threads()) == nearest_others({some_pixels, size}, threads()));
}
