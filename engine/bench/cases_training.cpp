// Cases of the kernels of a step outside its layers: optimizers, random numbers, data, losses, layouts.
#include <cmath>

#include "engine/bench/kernels.h"
#include "engine/model/objective.h"

namespace gannet::bench {
namespace {

// ---- plain loops over the formulas, on one thread, as baselines; operands as in kernels/contract

namespace naive {

void transpose(real* y, const real* x, const TransposeShape& s) {
    for (int64_t b = 0; b < s.batch; ++b)
        for (int64_t i = 0; i < s.rows; ++i)
            for (int64_t j = 0; j < s.cols; ++j) y[(b * s.cols + j) * s.rows + i] = x[(b * s.rows + i) * s.cols + j];
}

void adam_update(real* w, real* m, real* v, const real* g, const OptimizerState& state, const AdamParameters& p, int64_t n) {
    const real b1 = real(p.beta1), b2 = real(p.beta2), step = real(state.lr / state.correction1),
               root = real(std::sqrt(state.correction2));
    for (int64_t i = 0; i < n; ++i) {
        m[i] = b1 * m[i] + (1 - b1) * g[i];
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        w[i] -= step * m[i] / (real(std::sqrt(v[i])) / root + real(p.eps));
    }
}

}  // namespace naive

// Numbers of parameters: vanilla's D and G, dcgan's G, dcgan64's D and G.
constexpr int64_t parameters[] = {533505, 1510032, 759680, 2765568, 3576704};

void add_optimizers(std::vector<KernelCase>& cases) {
    for (const int64_t n : parameters) {
        const CasesOf at{cases, std::to_string(n)};
        const double flops = double(n);
        const AdamParameters adam{0.5, 0.999, 1e-8, 0};
        at.add("adam_update", {{n, 2}, {n, 2}, {n, 2}, {n}}, 9 * flops,
               CALL(adam_update<real>, u.p[0], u.p[1], u.p[2], u.p[3], u.state, adam, n),
               [n, adam](const Call& u) { naive::adam_update(u.p[0], u.p[1], u.p[2], u.p[3], *u.state, adam, n); });
        at.add("rmsprop_update", {{n, 2}, {n, 2}, {n}}, 6 * flops,
               CALL(rmsprop_update<real>, u.p[0], u.p[1], nullptr, u.p[2], u.state, RmspropParameters{}, n));
        const SgdParameters sgd{0.9, 0, false};
        at.add("sgd_update", {{n, 2}, {n, 2}, {n}}, 4 * flops, CALL(sgd_update<real>, u.p[0], u.p[1], u.p[2], u.state, sgd, n));
        at.add("lion_update", {{n, 2}, {n, 2}, {n}}, 10 * flops,
               CALL(lion_update<real>, u.p[0], u.p[1], u.p[2], u.state, LionParameters{}, n));
        at.add("clip_update", {{n, 2}}, 0, CALL(clip_update<real>, u.p[0], real(0.01), n));
    }
    const CasesOf one{cases, "1"};
    one.add("optimizer_advance_update", {}, 0, CALL(optimizer_advance_update, u.state, 0.5, 0.999));
    one.add("advance_update", {}, 0, CALL(advance_update, u.counters, 64));
}

void add_draws(std::vector<KernelCase>& cases) {
    const RandomKey key{1, 2, 3};
    // Latent vectors, weights of the interpolation, a layer's initial weights.
    for (const DrawShape s : {DrawShape{0, 64, 100}, {0, 64, 1}, {0, 1, 2097152}}) {
        const int64_t n = s.size();
        const CasesOf at{cases, std::to_string(s.samples) + "x" + std::to_string(s.per_sample)};
        at.add("uniform", {{n}}, 0, CALL(uniform<real>, u.p[0], u.counters, key, s, real(0), real(1)));
        at.add("normal", {{n}}, 0, CALL(normal<real>, u.p[0], u.counters, key, s, real(0), real(1)));
    }
    for (const DropoutShape s : {DropoutShape{0, 64, 1, 512}, {0, 64, 14 * 14, 64}, {0, 64, 14 * 14, 64, true}}) {
        const int64_t n = s.size();
        CasesOf{cases, std::to_string(s.samples) + "x" + std::to_string(s.spatial) + "x" + std::to_string(s.channels) +
                           (s.channelwise ? " whole channels" : "")}
            .add("dropout", {{n}, {n}}, 0, CALL(dropout<real>, u.p[0], u.p[1], u.counters, key, s, real(0.3)));
    }
}

void add_data(std::vector<KernelCase>& cases) {
    for (const auto& [batch, size] : {std::pair<int64_t, int64_t>{64, 28 * 28}, {128, 64 * 64 * 3}}) {
        const GatherShape s{.count = 10000, .usable = 9984, .per_image = size, .batch = batch, .seed = 1};
        const int64_t bytes = s.count * s.per_image, reals = int64_t(sizeof(real));
        CasesOf{cases, std::to_string(batch) + " of " + std::to_string(s.count) + " of " + std::to_string(size) + " bytes"}.add(
            "gather_images", {{batch * size}, {bytes / reals, double(batch) / double(s.count)}}, 2 * double(batch * size),
            CALL(gather_images<real>, u.p[0], reinterpret_cast<const uint8_t*>(u.p[1]), u.counters, s));
    }
    // `flatten` in front of a linear layer, and back.
    for (const TransposeShape s : {TransposeShape{64, 7 * 7, 128}, {64, 128, 7 * 7}, {128, 64 * 64, 3}}) {
        const int64_t n = s.size();
        CasesOf{cases, std::to_string(s.batch) + "x" + std::to_string(s.rows) + "x" + std::to_string(s.cols)}.add(
            "transpose", {{n}, {n}}, 0, CALL(transpose<real>, u.p[0], u.p[1], s),
            [s](const Call& u) { naive::transpose(u.p[0], u.p[1], s); });
    }
    for (const UpsampleShape s : {UpsampleShape{64, 7, 7, 128, 2}, {64, 14, 14, 64, 2}, {128, 16, 16, 128, 2}}) {
        const CasesOf at{cases, std::to_string(s.N) + "x" + std::to_string(s.H) + "x" + std::to_string(s.W) + "x" +
                                    std::to_string(s.C) + " by " + std::to_string(s.scale)};
        at.add("upsample_nearest", {{s.out_size()}, {s.in_size()}}, 0, CALL(upsample_nearest<real>, u.p[0], u.p[1], s));
        at.add("upsample_nearest_grad", {{s.in_size()}, {s.out_size()}}, double(s.out_size()),
               CALL(upsample_nearest_grad<real>, u.p[0], u.p[1], s));
    }
}

void add_losses(std::vector<KernelCase>& cases) {
    for (const int64_t n : {64, 128})
        for (const LossInfo& loss : losses()) {
            const LossForm f{loss.kind, 1, 0};
            const CasesOf at{cases, std::to_string(n) + " " + loss.name};
            at.add("loss", {{1}, {n}}, 0, CALL(loss<real>, u.p[0], u.p[1], nullptr, f, n));
            at.add("loss_grad", {{n}, {n}, {1}}, 0, CALL(loss_grad<real>, u.p[0], u.p[1], u.p[2], f, n));
        }
    // The arrays hold values below 1, so all labels are class 0.
    const RowsShape s{128, 10};
    const int64_t n = s.size();
    const CasesOf scores{cases, "128x10"};
    scores.add("cross_entropy", {{1}, {s.rows}, {n}, {s.rows}}, 0, CALL(cross_entropy<real>, u.p[0], u.p[1], u.p[2], u.p[3], s));
    scores.add("cross_entropy_grad", {{n}, {n}, {s.rows}, {s.rows}, {1}}, 0,
               CALL(cross_entropy_grad<real>, u.p[0], u.p[1], u.p[2], u.p[3], u.p[4], s));
}

}  // namespace

void add_training_cases(std::vector<KernelCase>& cases) {
    add_optimizers(cases);
    add_draws(cases);
    add_data(cases);
    add_losses(cases);
}

}  // namespace gannet::bench
