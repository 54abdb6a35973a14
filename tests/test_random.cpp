// Random draws: known answers of the generator, distributions, and independence from how draws are grouped.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/autograd/ops.h"
#include "engine/tensor/random.h"
#include "tests/op_cases.h"

using namespace gannet;
using gannet::tests::devices;

namespace {

struct Source {
    explicit Source(Device device = Device::cpu()) : counters(device, {11, 0}) {}
    DeviceValue<Counters> counters;
    RandomKey key{42, streams::latent, 3};
    RandomSource get() const { return {counters.address(), key}; }
};

// The Kolmogorov-Smirnov distance from a distribution, times sqrt(n). It exceeds 1.95 with probability 0.001.
template <class F>
double distance(std::vector<real> x, F distribution) {
    std::sort(x.begin(), x.end());
    const double n = double(x.size());
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double p = distribution(double(x[i]));
        worst = std::max({worst, std::fabs(p - double(i) / n), std::fabs(double(i + 1) / n - p)});
    }
    return worst * std::sqrt(n);
}

// Correlation of x[i] with x[i + lag], times sqrt(n): standard normal if they are independent.
double correlation(const std::vector<real>& x, std::size_t lag, double mean, double variance) {
    double total = 0;
    for (std::size_t i = 0; i + lag < x.size(); ++i) total += (x[i] - mean) * (x[i + lag] - mean);
    return total / variance / std::sqrt(double(x.size() - lag));
}

}  // namespace

TEST_CASE("Philox 4x32-10 gives the known answers of its authors' library") {
    struct Row {
        uint32_t counter[4], key[2], words[4];
    };
    const Row rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (const Row& row : rows) {
        const PhiloxWords got =
            philox(row.counter[0], row.counter[1], row.counter[2], row.counter[3], uint64_t(row.key[1]) << 32 | row.key[0]);
        for (int k = 0; k < 4; ++k) CHECK(got.w[k] == row.words[k]);
    }
}

TEST_CASE("uniform numbers lie strictly inside the interval and are uniform") {
    CHECK(unit_uniform(0) > 0);
    CHECK(unit_uniform(0xffffffff) < 1);
    for (const Device& device : devices()) {
        const Source source(device);
        const std::vector<real> x = uniform({500, 200}, source.get(), 0, -1, 3, device).to_host();
        CHECK(distance(x, [](double v) { return (v + 1) / 4; }) < 1.95);
        for (const std::size_t lag : {1, 2, 4, 200}) CHECK(std::fabs(correlation(x, lag, 1, 16.0 / 12)) < 4);
    }
}

TEST_CASE("normal numbers are normal") {
    for (const Device& device : devices()) {
        const Source source(device);
        const std::vector<real> x = normal({500, 200}, source.get(), 0, 2, 3, device).to_host();
        CHECK(distance(x, [](double v) { return 0.5 * std::erfc((2 - v) / 3 / std::sqrt(2.0)); }) < 1.95);
        for (const std::size_t lag : {1, 2, 4, 200}) CHECK(std::fabs(correlation(x, lag, 2, 9)) < 4);
        double mean = 0, square = 0, fourth = 0;
        for (real v : x) {
            const double z = (v - 2) / 3;
            mean += z, square += z * z, fourth += z * z * z * z;
        }
        const double n = double(x.size());
        CHECK(std::fabs(mean / n) < 4 / std::sqrt(n));
        CHECK(std::fabs(square / n - 1) < 4 * std::sqrt(2 / n));
        CHECK(std::fabs(fourth / n - 3) < 4 * std::sqrt(96 / n));
    }
}

TEST_CASE("numbers depend only on seed, stream, update, step, sample and element") {
    const Source source;
    const auto drawn = [&](const RandomSource& from) { return uniform({64}, from, 0, 0, 1, Device::cpu()).to_host(); };
    std::set<std::vector<real>> all{drawn(source.get())};
    CHECK(all.contains(drawn(source.get())));
    for (RandomKey key : {RandomKey{43, streams::latent, 3},
                          {42 + (uint64_t(1) << 32), streams::latent, 3},
                          {42, streams::interpolation, 3},
                          {42, streams::latent, 4}})
        CHECK(all.insert(drawn({source.counters.address(), key})).second);
    const DeviceValue<Counters> next(Device::cpu(), {12, 0}), seen(Device::cpu(), {11, 640});
    CHECK(all.insert(drawn({next.data(), source.key})).second);
    CHECK(all.contains(drawn({seen.data(), source.key})));  // the number of images seen does not matter
}

TEST_CASE("streams of different purposes differ") {
    std::set<uint32_t> all{data_order_stream, streams::latent, streams::interpolation, streams::sample_grid};
    std::size_t count = all.size();
    for (const Net net : {Net::generator, Net::discriminator})
        for (const int i : {0, 1, 0x3fff, 0x7fff}) {
            if (i < 0x4000) all.insert({streams::initial(net, i), streams::initial_buffer(net, i)}), count += 2;
            for (const Role role : {Role::data, Role::fake, Role::interpolated})
                all.insert(streams::dropout(net, role, i)), ++count;
        }
    CHECK(all.size() == count);
    CHECK(*all.rbegin() < (1u << 20));  // 20 bits
}

TEST_CASE("a sample drawn alone equals the sample of a batch") {
    for (const int64_t per_sample : {1, 3, 4, 7, 64, 101})
        for (const Device& device : devices()) {
            const Source source(device);
            const auto range = [&](auto draw, int64_t first, int64_t count) {
                return draw(Shape{count, per_sample}, first, device).to_host();
            };
            const auto check = [&](auto draw) {
                const std::vector<real> whole = range(draw, 5, 33);
                for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 1}, {7, 13}, {32, 1}}) {
                    const std::vector<real> part = range(draw, 5 + first, count);
                    CHECK(part == std::vector<real>(whole.begin() + long(first * per_sample),
                                                    whole.begin() + long((first + count) * per_sample)));
                }
            };
            check([&](Shape s, int64_t first, Device d) { return uniform(s, source.get(), first, 0, 1, d); });
            check([&](Shape s, int64_t first, Device d) { return normal(s, source.get(), first, 0, 1, d); });
        }
    const Source source;
    for (const bool channelwise : {false, true}) {
        const auto masks = [&](int64_t first, int64_t count) {
            return dropout(Tensor::full({count, 35}, 1), source.get(), {first, count, 5, 7, channelwise}, real(0.5)).to_host();
        };
        const std::vector<real> whole = masks(0, 9), part = masks(4, 2);
        CHECK(part == std::vector<real>(whole.begin() + 4 * 35, whole.begin() + 6 * 35));
    }
}

TEST_CASE("all instruction sets draw the same masks and uniform numbers") {
    const auto numbers = [](Device d) { return uniform({33, 31}, Source(d).get(), 0, 0, 1, d).to_host(); };
    for (const Device& device : devices()) CHECK(numbers(device) == numbers(Device::cpu(Backend::cpu_scalar)));
}

TEST_CASE("dropout keeps 1 - p, scales what it keeps, and its gradient has the same mask") {
    const Source source;
    const Tensor x = Tensor::full({100, 1000}, 1).set_requires_grad();
    for (const double p : {0.1, 0.5, 0.9}) {
        const Tensor y = dropout(x, source.get(), {0, 100, 10, 100}, real(p));
        const std::vector<real> values = y.to_host();
        double kept = 0;
        for (real v : values) {
            const bool dropped = v == 0;
            kept += !dropped;
            if (!dropped) CHECK(double(v) == doctest::Approx(1 / (1 - p)));
        }
        CHECK(std::fabs(kept / 1e5 - (1 - p)) < 4 * std::sqrt(p * (1 - p) / 1e5));
        CHECK(grad({sum(y)}, {x})[0].to_host() == values);
    }
    const std::vector<real> channels = dropout(x, source.get(), {0, 100, 10, 100, true}, real(0.5)).to_host();
    for (std::size_t e = 0; e < channels.size(); ++e) {
        const std::size_t first = e / 1000 * 1000 + e % 100;  // a channel is kept or dropped as a whole
        if (channels[e] != channels[first]) FAIL("channel of element ", e);
    }
}

TEST_CASE("the order of an epoch is a bijection that differs between epochs") {
    for (const int64_t count : {1, 2, 3, 7, 64, 1000, 60000}) {
        std::vector<int64_t> orders[3];
        for (const int64_t epoch : {0, 1, 2}) {
            std::vector<bool> seen(std::size_t(count), false);
            for (int64_t i = 0; i < count; ++i) {
                const int64_t image = shuffled_index(7, epoch, i, count);
                REQUIRE(image >= 0);
                REQUIRE(image < count);
                CHECK(!seen[std::size_t(image)]);
                seen[std::size_t(image)] = true;
                orders[epoch].push_back(image);
            }
        }
        if (count < 64) continue;
        CHECK(orders[0] != orders[1]);
        CHECK(orders[1] != orders[2]);
        int64_t fixed = 0, neighbours = 0;  // a random order has about one of each
        for (std::size_t i = 0; i < orders[0].size(); ++i) {
            fixed += orders[0][i] == int64_t(i);
            neighbours += i > 0 && orders[0][i] == orders[0][i - 1] + 1;
        }
        CHECK(fixed < 10);
        CHECK(neighbours < 10);
        CHECK(shuffled_index(8, 0, 0, count) + count * shuffled_index(8, 0, 1, count) !=
              orders[0][0] + count * orders[0][1]);  // with another seed
    }
}

TEST_CASE("batches continue across the end of an epoch, and the images beyond `usable` differ by epoch") {
    const int64_t count = 10, batch = 4, usable = 8;
    std::vector<uint8_t> bytes;
    for (int64_t i = 0; i < count; ++i) bytes.push_back(uint8_t(i));
    for (const Device& device : devices()) {
        const Tensor images = Tensor::from_bytes(bytes, {count, 1}, device);
        std::set<int> used;
        for (int64_t seen = 0; seen < 40 * usable; seen += batch) {
            const DeviceValue<Counters> counters(device, {0, seen});
            // Two batches of one step; the second may belong to the next epoch.
            for (const int64_t first : {int64_t(0), batch}) {
                const GatherShape s{count, usable, 1, first, batch, 5, 1, 0, true};
                const Tensor y = Tensor::empty({batch}, device);
                RUN(device, gather_images<real>, y.data(), images.bytes(), counters.data(), s);
                const std::vector<real> got = y.to_host();
                for (int64_t i = 0; i < batch; ++i) {
                    const int64_t position = seen + first + i;
                    CHECK(int64_t(got[std::size_t(i)]) == shuffled_index(5, position / usable, position % usable, count));
                    used.insert(int(got[std::size_t(i)]));
                }
            }
        }
        CHECK(used.size() == std::size_t(count));
    }
}
