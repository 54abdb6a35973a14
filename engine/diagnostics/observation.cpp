#include "engine/diagnostics/observation.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>

#include "base/format.h"
#include "engine/autograd/tape.h"

namespace gannet {
namespace {

constexpr int bins = 32;
constexpr int64_t most_images = 64;

// Six digits, for readability of the log.
double brief(double value) {
    if (!std::isfinite(value) || value == 0) return value;
    return std::strtod(formatted("%.6g", value).c_str(), nullptr);
}

struct Distribution {
    int64_t count = 0, finite = 0;
    double low = 0, high = 0, sum = 0, squares = 0;
    std::array<int64_t, bins> histogram{};

    json::Members members() const {
        const double mean = finite ? sum / double(finite) : NAN,
                     variance = finite ? std::max(0.0, squares / double(finite) - mean * mean) : NAN;
        json::Members out = {
            {"mean", brief(mean)}, {"std", brief(std::sqrt(variance))}, {"min", brief(low)}, {"max", brief(high)}};
        if (finite < count) out.emplace_back("not_finite", count - finite);
        out.emplace_back("histogram", json::List(histogram.begin(), histogram.end()));
        return out;
    }
};

// Mean, standard deviation, extremes and a histogram of `bins` equal parts between them, of finite values. Must be fast, as a run
// has millions of values.
Distribution distribution_of(const real* x, int64_t n) {
    Distribution d{.count = n, .finite = n};
    real low = x[0], high = x[0];
    double sum = 0, squares = 0;
#pragma omp simd reduction(min : low) reduction(max : high) reduction(+ : sum, squares)
    for (int64_t i = 0; i < n; ++i) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        const double v = double(x[i]);
        sum += v, squares += v * v;
    }
    if (!std::isfinite(squares)) {  // values too large to square, or not finite: repeat without them
        std::vector<real> rest;
        std::copy_if(x, x + n, std::back_inserter(rest), [](real v) { return std::isfinite(v) && std::abs(v) < real(1e30); });
        d = rest.empty() ? Distribution{} : distribution_of(rest.data(), int64_t(rest.size()));
        d.count = n;
        return d;
    }
    d.low = double(low), d.high = double(high), d.sum = sum, d.squares = squares;
    const real scale = high > low ? real(bins) / (high - low) : real(0);
    std::array<std::array<int32_t, bins>, 4> counts{};  // four in turn: neighbours are often in the same bin
    for (int64_t i = 0; i < n; ++i) ++counts[std::size_t(i % 4)][std::size_t(std::clamp(int((x[i] - low) * scale), 0, bins - 1))];
    for (const auto& part : counts)
        for (std::size_t k = 0; k < bins; ++k) d.histogram[k] += part[k];
    return d;
}

json::Members parameters_of(const Network& network, bool gradients) {
    const std::vector<real> host = (gradients ? network.flat_gradients() : network.flat_values()).to_host();
    const auto& parameters = network.parameters();
    std::vector<Distribution> found(parameters.size());
    parallel_for(network.device().threads(), int64_t(parameters.size()), [&](int64_t i) {
        const Variable& p = *parameters[std::size_t(i)];
        found[std::size_t(i)] = distribution_of(host.data() + p.offset, p.size());
    });
    json::Members out;
    for (std::size_t i = 0; i < parameters.size(); ++i) out.emplace_back(parameters[i]->name, found[i].members());
    return out;
}

// Mean and standard deviation, by the device.
std::pair<double, double> moments_of(const Tensor& x) {
    const double mean_value = double(mean(x).item());
    const Tensor centred = affine(x, 1, real(-mean_value));
    return {mean_value, std::sqrt(double(mean(mul(centred, centred)).item()))};
}

bool all_finite(const Tensor& x) {
    const std::vector<real> values = x.to_host();
    return std::all_of(values.begin(), values.end(), [](real v) { return std::isfinite(v); });
}

struct ActivationMoments : PassObserver {
    void output(const Module& module, const Tensor& y) override {
        const auto [mean_value, deviation] = moments_of(y);
        found.emplace_back(module.place->name, json::Members{{"mean", brief(mean_value)}, {"std", brief(deviation)}});
    }
    json::Members found;
};

struct FirstNotFinite : PassObserver {
    void output(const Module& module, const Tensor& y) override {
        if (place.empty() && !all_finite(y)) place = module.place->name;
    }
    std::string place;
};

class Observer {
public:
    explicit Observer(GanTrainer& trainer)
        : trainer_(trainer), count_(std::min(most_images, trainer.config().batch)), start_(trainer.generator().device()) {
        const Sampler sampler(trainer.config(), trainer.generator());
        latents_ = sampler.latents(trainer.config().seed, 0, count_);
        reals_ = trainer.reals(count_);
    }

    Observation observe() {
        Observation out;
        for (Network* network : {&trainer_.generator(), &trainer_.discriminator()})
            out.networks.emplace_back(network->name(), json::Members{{"weights", parameters_of(*network, false)},
                                                                     {"gradients", parameters_of(*network, true)}});
        Tensor fake, real_scores, fake_scores;
        {
            const Recording off(false);
            ActivationMoments of_generator, of_discriminator;
            fake = forward(trainer_.generator(), latents_, Role::fake, &of_generator);
            real_scores = forward(trainer_.discriminator(), reals_, Role::data, &of_discriminator);
            fake_scores = forward(trainer_.discriminator(), fake, Role::fake);
            out.networks[0].second.at("activations") = std::move(of_generator.found);
            out.networks[1].second.at("activations") = std::move(of_discriminator.found);
        }
        const Sampler sampler(trainer_.config(), trainer_.generator());
        ThreadPool& threads = trainer_.generator().device().threads();
        out.samples = spread_of(sampler.images(latents_).to_host(), count_, threads);
        out.data = spread_of(reals_.to_host(), count_, threads);
        scores(real_scores.to_host(), fake_scores.to_host(), out);
        if (const auto& penalty = trainer_.objective().penalty) {
            out.penalty_norm = penalty_norm(fake);
            out.penalty_target = double(penalty->target);
        }
        return out;
    }

    std::string first_not_finite() {
        const Recording off(false);
        Tensor fake;
        std::string found = check(trainer_.generator(), latents_, &fake);
        if (found.empty()) found = check(trainer_.discriminator(), reals_, nullptr);
        if (found.empty()) found = check(trainer_.discriminator(), fake, nullptr);
        return found;
    }

private:
    Tensor forward(const Network& network, const Tensor& x, Role role, PassObserver* observer = nullptr) const {
        return network.forward({x}, {.update_buffers = false,
                                     .role = role,
                                     .update = no_update_number,
                                     .seed = trainer_.config().seed,
                                     .counters = start_.address(),
                                     .observer = observer});
    }

    void scores(const std::vector<real>& on_real, const std::vector<real>& on_fake, Observation& out) const {
        const auto average = [](const std::vector<real>& values) {
            double sum = 0;
            for (const real v : values) sum += double(v);
            return sum / double(values.size());
        };
        out.is_distance = trainer_.objective().loss->is_distance;
        out.score_real = average(on_real), out.score_fake = average(on_fake);
        const std::optional<double> neutral = trainer_.objective().neutral_score();
        if (!neutral) return;
        const auto above = [&](const std::vector<real>& values) {
            return double(std::count_if(values.begin(), values.end(), [&](real v) { return double(v) > *neutral; })) /
                   double(values.size());
        };
        out.accuracy_real = above(on_real), out.accuracy_fake = 1 - above(on_fake);
    }

    double penalty_norm(const Tensor& fake) const {
        const RandomSource source{start_.address(), {trainer_.config().seed, streams::interpolation, no_update_number}};
        const Device& device = fake.device();
        Tensor x = interpolate(reals_, fake, uniform({count_, 1}, source, 0, 0, 1, device)).set_requires_grad();
        const Tensor y = forward(trainer_.discriminator(), x, Role::interpolated);
        const Tensor gradient = grad({y}, {x}, {Tensor::full(y.shape(), 1, device)}, {})[0];
        if (!gradient) return 0;
        const Recording off(false);
        return double(mean(row_norm(gradient, trainer_.objective().penalty->rows(count_, trainer_.image()))).item());
    }

    std::string check(const Network& network, const Tensor& x, Tensor* y) const {
        std::string found;
        for (const Variable* p : network.parameters())
            if (found.empty() && !all_finite(network.values()[p->index])) found = p->name;
        FirstNotFinite outputs;
        const Tensor out = forward(network, x, Role::fake, &outputs);
        if (y) *y = out;
        return found.empty() && !outputs.place.empty() ? outputs.place + ": its output" : found;
    }

    GanTrainer& trainer_;
    int64_t count_;
    DeviceValue<Counters> start_;
    Tensor latents_, reals_;
};

double median_of_nearest(const std::vector<real>& images, int64_t count, int64_t size, ThreadPool& threads) {
    std::vector<double> nearest(std::size_t(count), INFINITY);
    parallel_for(threads, count, [&](int64_t i) {
        const real* const a = images.data() + i * size;
        for (int64_t k = 0; k < count; ++k) {
            if (k == i) continue;
            const real* const b = images.data() + k * size;
            real sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t j = 0; j < size; ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
            nearest[std::size_t(i)] = std::min(nearest[std::size_t(i)], double(sum));
        }
    });
    std::nth_element(nearest.begin(), nearest.begin() + count / 2, nearest.end());
    return std::sqrt(nearest[std::size_t(count / 2)]);
}

json::Members members(const Spread& spread) {
    return {{"mean", brief(spread.mean)},
            {"std", brief(spread.deviation)},
            {"distance", brief(spread.distance)},
            {"nearest", brief(spread.nearest)}};
}

}  // namespace

Spread spread_of(const std::vector<real>& images, int64_t count, ThreadPool& threads) {
    const int64_t size = count ? int64_t(images.size()) / count : 0;
    Spread spread;
    if (size == 0) return spread;
    std::vector<double> sums(std::size_t(size), 0), squares(std::size_t(size), 0);
    for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < size; ++j) {
            const double v = double(images[std::size_t(i * size + j)]);
            sums[std::size_t(j)] += v, squares[std::size_t(j)] += v * v;
        }
    double all = 0, all_squares = 0, within = 0;  // within: the values' variances over the images
    for (int64_t j = 0; j < size; ++j) {
        const double s = sums[std::size_t(j)], q = squares[std::size_t(j)];
        all += s, all_squares += q;
        const double squares_about_mean = q - s * s / double(count);
        within += squares_about_mean < 0 ? 0 : squares_about_mean;  // NaN stays
    }
    const double n = double(count * size);
    spread.mean = all / n;
    const double variance = all_squares / n - spread.mean * spread.mean;
    spread.deviation = std::sqrt(variance < 0 ? 0 : variance);
    // the mean of |x_i - x_k|^2 over pairs is twice the sum of the unbiased variances
    if (count > 1) {
        spread.distance = std::sqrt(2 * within / double(count - 1));
        spread.nearest = std::isfinite(within) ? median_of_nearest(images, count, size, threads) : NAN;
    }
    return spread;
}

json::Members Observation::line() const {
    json::Members out = {{"samples", members(samples)},
                         {"data", members(data)},
                         {"score_real", brief(score_real)},
                         {"score_fake", brief(score_fake)}};
    if (!std::isnan(accuracy_real)) {
        out.emplace_back("accuracy_real", accuracy_real);
        out.emplace_back("accuracy_fake", accuracy_fake);
    }
    if (is_distance) {
        out.emplace_back("w_estimate", brief(score_real - score_fake));
    }
    if (!std::isnan(penalty_norm)) {
        out.emplace_back("penalty_norm", brief(penalty_norm));
        out.emplace_back("penalty_target", brief(penalty_target));
    }
    for (const auto& network : networks) out.push_back(network);
    return out;
}

Observation observe(GanTrainer& trainer) { return Observer(trainer).observe(); }
std::string first_not_finite(GanTrainer& trainer) { return Observer(trainer).first_not_finite(); }

}  // namespace gannet
