// Cases of the kernels of a step outside its layers: optimizers, random numbers, data, losses, layouts.
#include "engine/bench/kernels.h"
#include "engine/bench/naive.h"
#include "engine/model/objective.h"

namespace gannet::bench {
namespace {

// Calls a kernel with the arrays u.p of a Call u.
#define CALL(...) [=](const Call& u) { RUN(u.device, __VA_ARGS__); }

// Numbers of parameters: vanilla's D and G, dcgan's G, dcgan64's D and G.
constexpr int64_t parameters[] = {533505, 1510032, 759680, 2765568, 3576704};

void add_optimizers(std::vector<KernelCase>& cases) {
    for (const int64_t n : parameters) {
        const std::string shape = std::to_string(n);
        const double flops = double(n);
        const AdamParameters adam{0.5, 0.999, 1e-8, 0};
        cases.push_back(
            {"adam_update",
             shape,
             {{n, 2}, {n, 2}, {n, 2}, {n}},
             9 * flops,
             CALL(adam_update<real>, u.p[0], u.p[1], u.p[2], u.p[3], u.state, adam, n),
             {naive_rival([n, adam](const Call& u) { naive::adam_update(u.p[0], u.p[1], u.p[2], u.p[3], *u.state, adam, n); })}});
        cases.push_back({"rmsprop_update",
                         shape,
                         {{n, 2}, {n, 2}, {n}},
                         6 * flops,
                         CALL(rmsprop_update<real>, u.p[0], u.p[1], nullptr, u.p[2], u.state, RmspropParameters{}, n)});
        const SgdParameters sgd{0.9, 0, false};
        cases.push_back({"sgd_update",
                         shape,
                         {{n, 2}, {n, 2}, {n}},
                         4 * flops,
                         CALL(sgd_update<real>, u.p[0], u.p[1], u.p[2], u.state, sgd, n)});
        cases.push_back({"lion_update",
                         shape,
                         {{n, 2}, {n, 2}, {n}},
                         10 * flops,
                         CALL(lion_update<real>, u.p[0], u.p[1], u.p[2], u.state, LionParameters{}, n)});
        cases.push_back({"clip_update", shape, {{n, 2}}, 0, CALL(clip_update<real>, u.p[0], real(0.01), n)});
    }
    cases.push_back({"optimizer_advance_update", "1", {}, 0, CALL(optimizer_advance_update, u.state, 0.5, 0.999)});
    cases.push_back({"advance_update", "1", {}, 0, CALL(advance_update, u.counters, 64)});
}

void add_draws(std::vector<KernelCase>& cases) {
    const RandomKey key{1, 2, 3};
    // Latent vectors, weights of the interpolation, a layer's initial weights.
    for (const DrawShape s : {DrawShape{0, 64, 100}, {0, 64, 1}, {0, 1, 2097152}}) {
        const int64_t n = s.size();
        const std::string shape = std::to_string(s.samples) + "x" + std::to_string(s.per_sample);
        cases.push_back({"uniform", shape, {{n}}, 0, CALL(uniform<real>, u.p[0], u.counters, key, s, real(0), real(1))});
        cases.push_back({"normal", shape, {{n}}, 0, CALL(normal<real>, u.p[0], u.counters, key, s, real(0), real(1))});
        cases.push_back({"bernoulli", shape, {{n}}, 0, CALL(bernoulli<real>, u.p[0], u.counters, key, s, real(0.5))});
    }
    for (const DropoutShape s : {DropoutShape{0, 64, 1, 512}, {0, 64, 14 * 14, 64}, {0, 64, 14 * 14, 64, true}}) {
        const int64_t n = s.size();
        cases.push_back({"dropout",
                         std::to_string(s.samples) + "x" + std::to_string(s.spatial) + "x" + std::to_string(s.channels) +
                             (s.channelwise ? " whole channels" : ""),
                         {{n}, {n}},
                         0,
                         CALL(dropout<real>, u.p[0], u.p[1], u.counters, key, s, real(0.3))});
    }
}

void add_data(std::vector<KernelCase>& cases) {
    for (const auto& [batch, size] : {std::pair<int64_t, int64_t>{64, 28 * 28}, {128, 64 * 64 * 3}}) {
        const GatherShape s{.count = 10000, .usable = 9984, .per_image = size, .batch = batch, .seed = 1};
        const int64_t bytes = s.count * s.per_image, reals = int64_t(sizeof(real));
        cases.push_back({"gather_images",
                         std::to_string(batch) + " of " + std::to_string(s.count) + " of " + std::to_string(size) + " bytes",
                         {{batch * size}, {bytes / reals, double(batch) / double(s.count)}},
                         2 * double(batch * size),
                         CALL(gather_images<real>, u.p[0], reinterpret_cast<const uint8_t*>(u.p[1]), u.counters, s)});
    }
    // `flatten` in front of a linear layer, and back.
    for (const TransposeShape s : {TransposeShape{64, 7 * 7, 128}, {64, 128, 7 * 7}, {128, 64 * 64, 3}}) {
        const int64_t n = s.size();
        cases.push_back({"transpose",
                         std::to_string(s.batch) + "x" + std::to_string(s.rows) + "x" + std::to_string(s.cols),
                         {{n}, {n}},
                         0,
                         CALL(transpose<real>, u.p[0], u.p[1], s),
                         {naive_rival([s](const Call& u) { naive::transpose(u.p[0], u.p[1], s); })}});
    }
    for (const UpsampleShape s : {UpsampleShape{64, 7, 7, 128, 2}, {64, 14, 14, 64, 2}, {128, 16, 16, 128, 2}}) {
        const std::string shape = std::to_string(s.N) + "x" + std::to_string(s.H) + "x" + std::to_string(s.W) + "x" +
                                  std::to_string(s.C) + " by " + std::to_string(s.scale);
        cases.push_back(
            {"upsample_nearest", shape, {{s.out_size()}, {s.in_size()}}, 0, CALL(upsample_nearest<real>, u.p[0], u.p[1], s)});
        cases.push_back({"upsample_nearest_grad",
                         shape,
                         {{s.in_size()}, {s.out_size()}},
                         double(s.out_size()),
                         CALL(upsample_nearest_grad<real>, u.p[0], u.p[1], s)});
    }
}

void add_losses(std::vector<KernelCase>& cases) {
    for (const int64_t n : {64, 128})
        for (const LossInfo& loss : losses()) {
            const LossForm f{loss.kind, 1, 0};
            const std::string shape = std::to_string(n) + " " + loss.name;
            cases.push_back({"loss", shape, {{1}, {n}}, 0, CALL(loss<real>, u.p[0], u.p[1], nullptr, f, n)});
            cases.push_back({"loss_grad", shape, {{n}, {n}, {1}}, 0, CALL(loss_grad<real>, u.p[0], u.p[1], u.p[2], f, n)});
        }
    // The arrays hold values below 1, so all labels are class 0.
    const RowsShape s{128, 10};
    const int64_t n = s.size();
    cases.push_back({"cross_entropy",
                     "128x10",
                     {{1}, {s.rows}, {n}, {s.rows}},
                     0,
                     CALL(cross_entropy<real>, u.p[0], u.p[1], u.p[2], u.p[3], s)});
    cases.push_back({"cross_entropy_grad",
                     "128x10",
                     {{n}, {n}, {s.rows}, {s.rows}, {1}},
                     0,
                     CALL(cross_entropy_grad<real>, u.p[0], u.p[1], u.p[2], u.p[3], u.p[4], s)});
}

}  // namespace

void add_training_cases(std::vector<KernelCase>& cases) {
    add_optimizers(cases);
    add_draws(cases);
    add_data(cases);
    add_losses(cases);
}

}  // namespace gannet::bench
