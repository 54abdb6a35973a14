// Kernel cases of random.inl, optimizer.inl and the kernels that turn bytes into a batch.
#include <cmath>

#include "kernels/philox.h"
#include "tests/kernel_cases.h"
#include "tests/reference.h"

namespace gannet::tests {
namespace {

Block out(int64_t n) { return {n, Access::out}; }
Block in(int64_t n, const Draw& values = symmetric) { return {n, Access::in, values}; }
Block updated(int64_t n, const Draw& values = symmetric) { return {n, Access::updated, values}; }

// The uniform number of one element, from the definition in philox.h.
double uniform_at(const RandomKey& key, int64_t step, int64_t sample, int64_t element) {
    return (double(draw(key, step, sample, element / 4).w[element % 4] >> 9) + 0.5) / 8388608;
}
double normal_at(const RandomKey& key, int64_t step, int64_t sample, int64_t element) {
    const int64_t first = element & ~int64_t(1);
    const double radius = std::sqrt(-2 * std::log(uniform_at(key, step, sample, first))),
                 angle = 2 * M_PI * uniform_at(key, step, sample, first + 1);
    return radius * (element % 2 ? std::sin(angle) : std::cos(angle));
}

template <class F>
Values draws(const DrawShape& s, F f) {
    Values y;
    for (int64_t i = 0; i < s.samples; ++i)
        for (int64_t j = 0; j < s.per_sample; ++j) y.push_back(f(s.first_sample + i, j));
    return y;
}

void add_draws(std::vector<KernelCase>& cases) {
    const int64_t step = test_position.step;
    const RandomKey key{0x123456789ABCDEF0, 0x5A5A5, 0xABC};
    for (const DrawShape s :
         {DrawShape{0, 1, 1}, {0, 1, 100}, {7, 5, 3}, {0, 3, 64}, {3, 33, 31}, {1000, 70, 1}, {0, 2, 40001}, {0, 64, 784}}) {
        const std::string l =
            std::to_string(s.samples) + "x" + std::to_string(s.per_sample) + " from " + std::to_string(s.first_sample);
        const auto run = [=](auto f) { return [=](Device d, const std::vector<real*>& p) { f(d, p[0], test_counters(d)); }; };
        cases.push_back({"uniform",
                         l,
                         {out(s.size())},
                         run([=](Device d, real* y, const Counters* c) { RUN(d, uniform<real>, y, c, key, s, -1, 3); }),
                         [=](const Lists&) {
                             return Lists{draws(s, [&](int64_t i, int64_t j) { return 4 * uniform_at(key, step, i, j) - 1; })};
                         },
                         1,
                         1});
        // Near its zeros, a cosine has the absolute error of its angle.
        cases.push_back({"normal",
                         l,
                         {out(s.size())},
                         run([=](Device d, real* y, const Counters* c) { RUN(d, normal<real>, y, c, key, s, real(0.5), 2); }),
                         [=](const Lists&) {
                             return Lists{draws(s, [&](int64_t i, int64_t j) { return 0.5 + 2 * normal_at(key, step, i, j); })};
                         },
                         8,
                         4});
    }
    for (const bool channelwise : {false, true})
        for (DropoutShape s :
             {DropoutShape{0, 1, 1, 1}, {5, 3, 1, 13}, {2, 7, 31, 5}, {0, 11, 150, 33}, {9, 3, 16, 32}, {9, 3, 2, 2}}) {
            s.channelwise = channelwise;
            const std::string l = std::to_string(s.samples) + "x" + std::to_string(s.spatial) + "x" + std::to_string(s.channels) +
                                  (channelwise ? " channelwise" : "");
            cases.push_back({"dropout",
                             l,
                             {out(s.size()), in(s.size())},
                             [=](Device d, const std::vector<real*>& p) {
                                 RUN(d, dropout<real>, p[0], p[1], test_counters(d), key, s, real(0.25));
                             },
                             [=](const Lists& x) {
                                 Values y;
                                 for (int64_t e = 0; e < s.size(); ++e) {
                                     const int64_t within = e % (s.spatial * s.channels),
                                                   element = channelwise ? within % s.channels : within;
                                     const bool kept =
                                         uniform_at(key, step, s.first_sample + e / (s.spatial * s.channels), element) < 0.75;
                                     y.push_back(kept ? x[1][std::size_t(e)] / 0.75 : 0);
                                 }
                                 return Lists{y};
                             },
                             2});
        }
}

void add_gathers(std::vector<KernelCase>& cases) {
    struct Row {
        int64_t count, usable, per_image, first, batch;
        bool shuffle;
    };
    const Row rows[] = {{1, 1, 1, 0, 1, true},      {7, 6, 5, 0, 3, true},
                        {7, 6, 5, 1, 13, false},    {100, 96, 33, 20, 32, true},
                        {33, 31, 784, 3, 70, true}, {9, 8, 4100, 2, 9, true},  // more bytes than one block reads
                        {9, 8, 8195, 2, 9, true},   {9, 8, 12288, 2, 9, false}};
    for (const Row& r : rows) {
        const GatherShape s{r.count, r.usable, r.per_image, r.first, r.batch, 99, real(2) / 255, -1, r.shuffle};
        std::vector<uint8_t> bytes;
        for (int64_t i = 0; i < r.count * r.per_image; ++i) bytes.push_back(uint8_t(i * 37 + i / 256));
        cases.push_back({"gather_images",
                         std::to_string(r.batch) + " of " + std::to_string(r.count) + "x" + std::to_string(r.per_image),
                         {out(r.batch * r.per_image)},
                         [=](Device d, const std::vector<real*>& p) {
                             const Tensor images = Tensor::from_bytes(bytes, {r.count, r.per_image}, d);
                             RUN(d, gather_images<real>, p[0], images.bytes(), test_counters(d), s);
                         },
                         [=](const Lists&) {
                             Values y;
                             for (int64_t i = 0; i < r.batch; ++i) {
                                 const int64_t position = test_position.images_seen + r.first + i, epoch = position / r.usable,
                                               index = position % r.usable;
                                 const int64_t image = r.shuffle ? shuffled_index(99, epoch, index, r.count) : index;
                                 for (int64_t k = 0; k < r.per_image; ++k)
                                     y.push_back(bytes[std::size_t(image * r.per_image + k)] / 255.0 * 2 - 1);
                             }
                             return Lists{y};
                         },
                         1,
                         1});
    }
}

// The optimizer's state at update t. Blocks of a case: w, m, v (those in use), then the gradient.
OptimizerState state_at(int64_t t, double beta1, double beta2) {
    return {0.02, t, 1 - std::pow(beta1, t), 1 - std::pow(beta2, t)};
}

void add_optimizers(std::vector<KernelCase>& cases) {
    for (const int64_t n : {1, 33, 40001}) {
        const std::string l = std::to_string(n);
        for (const int64_t t : {1, 3}) {
            const AdamParameters p{0.5, 0.9, 1e-8, t == 3 ? 0.1 : 0};
            const OptimizerState state = state_at(t, p.beta1, p.beta2);
            cases.push_back({"adam_update",
                             l + " update " + std::to_string(t),
                             {updated(n), updated(n), updated(n, positive), in(n)},
                             [=](Device d, const std::vector<real*>& b) {
                                 const DeviceValue<OptimizerState> s(d, state);
                                 RUN(d, adam_update<real>, b[0], b[1], b[2], b[3], s.data(), p, n);
                             },
                             [=](const Lists& x) {
                                 Lists y{x[0], x[1], x[2]};
                                 for (std::size_t i = 0; i < std::size_t(n); ++i) {
                                     const double g = x[3][i] + p.weight_decay * x[0][i];
                                     y[1][i] = p.beta1 * x[1][i] + (1 - p.beta1) * g;
                                     y[2][i] = p.beta2 * x[2][i] + (1 - p.beta2) * g * g;
                                     const double m = y[1][i] / (1 - std::pow(p.beta1, t)),
                                                  v = y[2][i] / (1 - std::pow(p.beta2, t));
                                     y[0][i] -= 0.02 * m / (std::sqrt(v) + p.eps);
                                 }
                                 return y;
                             },
                             4,
                             2});
        }
        for (const int form : {0, 1, 2}) {
            const RmspropParameters p{0.9, form == 2 ? 0.01 : 1e-8, form ? 0.5 : 0, form ? 0.1 : 0, form == 2};
            const OptimizerState state = state_at(2, 0, 0);
            cases.push_back({"rmsprop_update",
                             l + " form " + std::to_string(form),
                             {updated(n), updated(n, positive), updated(n), in(n)},
                             [=](Device d, const std::vector<real*>& b) {
                                 const DeviceValue<OptimizerState> s(d, state);
                                 RUN(d, rmsprop_update<real>, b[0], b[1], form ? b[2] : nullptr, b[3], s.data(), p, n);
                             },
                             [=](const Lists& x) {
                                 Lists y{x[0], x[1], x[2]};
                                 for (std::size_t i = 0; i < std::size_t(n); ++i) {
                                     const double g = x[3][i] + p.weight_decay * x[0][i];
                                     y[1][i] = p.alpha * x[1][i] + (1 - p.alpha) * g * g;
                                     double step =
                                         g / (p.eps_inside_sqrt ? std::sqrt(y[1][i] + p.eps) : std::sqrt(y[1][i]) + p.eps);
                                     if (p.momentum > 0) step = y[2][i] = p.momentum * x[2][i] + step;
                                     y[0][i] -= 0.02 * step;
                                 }
                                 return y;
                             },
                             4,
                             2});
        }
        for (const int form : {0, 1, 2, 3}) {  // plain, momentum, momentum's first update, Nesterov
            const SgdParameters p{form ? 0.9 : 0, form ? 0.1 : 0, form == 3};
            const int64_t t = form == 2 ? 1 : 2;
            cases.push_back({"sgd_update",
                             l + " form " + std::to_string(form),
                             {updated(n), updated(n), in(n)},
                             [=](Device d, const std::vector<real*>& b) {
                                 const DeviceValue<OptimizerState> s(d, state_at(t, 0, 0));
                                 RUN(d, sgd_update<real>, b[0], form ? b[1] : nullptr, b[2], s.data(), p, n);
                             },
                             [=](const Lists& x) {
                                 Lists y{x[0], x[1]};
                                 for (std::size_t i = 0; i < std::size_t(n); ++i) {
                                     const double g = x[2][i] + p.weight_decay * x[0][i];
                                     double step = g;
                                     if (form) {
                                         y[1][i] = t == 1 ? g : p.momentum * x[1][i] + g;
                                         step = p.nesterov ? g + p.momentum * y[1][i] : y[1][i];
                                     }
                                     y[0][i] -= 0.02 * step;
                                 }
                                 return y;
                             },
                             4,
                             2});
        }
        for (const double decay : {0.0, 0.1}) {
            const LionParameters p{0.5, 0.75, decay};
            cases.push_back({"lion_update",
                             l + " decay " + std::to_string(decay),
                             {updated(n), updated(n), in(n)},
                             [=](Device d, const std::vector<real*>& b) {
                                 const DeviceValue<OptimizerState> s(d, state_at(2, 0, 0));
                                 RUN(d, lion_update<real>, b[0], b[1], b[2], s.data(), p, n);
                             },
                             [=](const Lists& x) {
                                 Lists y{x[0], x[1]};
                                 for (std::size_t i = 0; i < std::size_t(n); ++i) {
                                     const double c = p.beta1 * x[1][i] + (1 - p.beta1) * x[2][i];
                                     y[0][i] -= 0.02 * ((c > 0 ? 1 : c < 0 ? -1 : 0) + decay * x[0][i]);
                                     y[1][i] = p.beta2 * x[1][i] + (1 - p.beta2) * x[2][i];
                                 }
                                 return y;
                             },
                             4,
                             2});
        }
        cases.push_back(
            {"clip_update",
             l,
             {updated(n)},
             [=](Device d, const std::vector<real*>& b) { RUN(d, clip_update<real>, b[0], real(0.25), n); },
             [](const Lists& x) { return Lists{reference::map(x[0], [](double w) { return std::clamp(w, -0.25, 0.25); })}; },
             0});
        cases.push_back(
            {"accumulate_update",
             l,
             {updated(n), in(n)},
             [=](Device d, const std::vector<real*>& b) { RUN(d, accumulate_update<real>, b[0], b[1], n); },
             [](const Lists& x) { return Lists{reference::map(x[0], x[1], [](double a, double b) { return a + b; })}; },
             1});
    }
    cases.push_back({"optimizer_advance_update",
                     "twice",
                     {out(3)},
                     [](Device d, const std::vector<real*>& b) {
                         const DeviceValue<OptimizerState> s(d, OptimizerState{0.5, 6, 0, 0});
                         for (int i = 0; i < 2; ++i) RUN(d, optimizer_advance_update, s.data(), 0.5, 0.9);
                         const OptimizerState after = s.get();
                         const real values[] = {real(after.updates), real(after.correction1), real(after.correction2)};
                         d.copy_from_host(b[0], values, sizeof values);
                     },
                     [](const Lists&) {
                         return Lists{{8, 1 - std::pow(0.5, 8), 1 - std::pow(0.9, 8)}};
                     },
                     2});
    cases.push_back({"advance_update",
                     "twice",
                     {out(2)},
                     [](Device d, const std::vector<real*>& b) {
                         const DeviceValue<Counters> c(d, Counters{3, 1000});
                         for (int i = 0; i < 2; ++i) RUN(d, advance_update, c.data(), 320);
                         const real values[] = {real(c.get().step), real(c.get().images_seen)};
                         d.copy_from_host(b[0], values, sizeof values);
                     },
                     [](const Lists&) {
                         return Lists{{5, 1640}};
                     },
                     0});
}

}  // namespace

void add_training_kernels(std::vector<KernelCase>& cases) {
    add_draws(cases);
    add_gathers(cases);
    add_optimizers(cases);
}

}  // namespace gannet::tests
