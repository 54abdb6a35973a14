#include "engine/bench/tune.h"

#include "base/error.h"
#include "base/format.h"
#include "engine/bench/model.h"
#include "engine/bench/timing.h"
#include "engine/gan/trainer.h"
#include "engine/model/choices.h"

namespace gannet::bench {
namespace {

// The matrix products of an eager step (not replayed from a graph).
std::vector<TunedProduct> products_of(const config::GanConfig& config, Device device) {
    std::vector<TunedProduct> seen;
    const Dataset images = random_images(config);
    GanTrainer(config, images, device.noting(seen)).step();
    return seen;
}

// Seconds of the matrix product with `choice`. If it is not `plain`, it has a bias and an activation.
double seconds_of(const TunedProduct& p, MatmulChoice choice, const Device& on, double seconds) {
    const Device device = on.with({.precision = on.numerics().precision, .matmul = choice});
    const MatmulShape& s = p.shape;
    const auto half = [&](int64_t size) { return Tensor::full({size}, real(0.5), device); };
    const Tensor c = half(s.M * s.N), a = half(s.M * s.K), b = half(s.K * s.N), bias = half(s.N);
    const Activation act = p.plain ? Activation{} : Activation{ActivationKind::relu, 0};
    return measure(
               device, seconds,
               [&] { RUN(device, matmul<real>, c.data(), nullptr, a.data(), b.data(), p.plain ? nullptr : bias.data(), s, act); })
        .median;
}

}  // namespace

Tuning tune(const config::GanConfig& config, Device given, double seconds) {
    const Device device = given.with(config.numerics);
    if (!device.is_cuda())
        throw Error("only GPUs can be tuned", device.name(), "run it with --device cuda on a machine that has a GPU");
#ifndef GANNET_CUBLAS
    throw Error("this program was built without cuBLAS, so there is no choice to tune", device.name(),
                "build it on a machine that has cublas_v2.h");
#endif
    Tuning out{device.name(), config.numerics.precision, {}};
    for (TunedProduct& p : products_of(config, device)) {
        const double own = seconds_of(p, MatmulChoice::own, device, seconds),
                     cublas = seconds_of(p, MatmulChoice::cublas, device, seconds);
        p.choice = cublas < own ? MatmulChoice::cublas : MatmulChoice::own;
        out.products.push_back({p, own, cublas});
    }
    return out;
}

json::Value json(const Tuning& tuning) {
    json::List products;
    for (const auto& [p, own, cublas] : tuning.products)
        products.push_back(json::Members{{"M", p.shape.M},
                                         {"N", p.shape.N},
                                         {"K", p.shape.K},
                                         {"transpose_a", p.shape.transpose_a},
                                         {"transpose_b", p.shape.transpose_b},
                                         {"plain", p.plain},
                                         {"own_us", 1e6 * own},
                                         {"cublas_us", 1e6 * cublas},
                                         {"use", config::word_of(config::tuned_choices, p.choice)}});
    return json::Members{{"gpu", tuning.gpu},
                         {"precision", config::word_of(config::precisions, tuning.precision)},
                         {"products", std::move(products)}};
}

std::string text(const Tuning& tuning) {
    std::string lines;
    for (const auto& [p, own, cublas] : tuning.products)
        lines +=
            formatted("%6lld x %6lld, k %6lld  a%s b%s %-5s  own %9.2f us  cuBLAS %9.2f us  %s\n",
                      static_cast<long long>(p.shape.M), static_cast<long long>(p.shape.N), static_cast<long long>(p.shape.K),
                      p.shape.transpose_a ? "'" : " ", p.shape.transpose_b ? "'" : " ", p.plain ? "plain" : "fused", 1e6 * own,
                      1e6 * cublas, config::word_of(config::tuned_choices, p.choice).c_str());
    return lines;
}

}  // namespace gannet::bench
