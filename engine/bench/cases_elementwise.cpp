// Cases of memory-bound kernels: elementwise operations, reductions, normalisations.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "engine/bench/kernels.h"

namespace gannet::bench {
namespace {

// ---- plain loops over the formulas, on one thread, as baselines; operands as in kernels/contract

namespace naive {

void sum_rows(real* y, const real* x, const RowsShape& s) {
    std::fill_n(y, s.cols, real(0));
    for (int64_t i = 0; i < s.rows; ++i)
        for (int64_t j = 0; j < s.cols; ++j) y[j] += x[i * s.cols + j];
}

void sum_cols(real* y, const real* x, const RowsShape& s) {
    for (int64_t i = 0; i < s.rows; ++i) {
        real sum = 0;
        for (int64_t j = 0; j < s.cols; ++j) sum += x[i * s.cols + j];
        y[i] = sum;
    }
}

void moments(real* mean_var, const real* x, const RowsShape& s) {
    real *mean = mean_var, *var = mean_var + s.cols;
    sum_rows(mean, x, s);
    std::fill_n(var, s.cols, real(0));
    for (int64_t j = 0; j < s.cols; ++j) mean[j] /= real(s.rows);
    for (int64_t i = 0; i < s.rows; ++i)
        for (int64_t j = 0; j < s.cols; ++j) {
            const real d = x[i * s.cols + j] - mean[j];
            var[j] += d * d;
        }
    for (int64_t j = 0; j < s.cols; ++j) var[j] /= real(s.rows);
}

void batch_norm(real* y, const real* x, const real* mean_var, const real* gamma, const real* beta, const RowsShape& s, real eps,
                real slope) {
    for (int64_t i = 0; i < s.rows; ++i)
        for (int64_t j = 0; j < s.cols; ++j) {
            const real z = gamma[j] * (x[i * s.cols + j] - mean_var[j]) / real(std::sqrt(mean_var[s.cols + j] + eps)) + beta[j];
            y[i * s.cols + j] = z > 0 ? z : slope * z;
        }
}

}  // namespace naive

// Sizes of a batch: 28x28 images, the 14x14x64 of dcgan's first layer, dcgan64's 32x32x64.
constexpr int64_t sizes[] = {64 * 28 * 28, 64 * 14 * 14 * 64, 128 * 32 * 32 * 64};

// Shapes of batch norms and biases: vanilla and keras-mlp, dcgan and wgan, dcgan64.
const RowsShape matrices[] = {
    {64, 256},          {64, 512},          {64, 1024},           {64 * 7 * 7, 128},   {64 * 14 * 14, 64},
    {128 * 4 * 4, 512}, {128 * 8 * 8, 256}, {128 * 16 * 16, 128}, {128 * 32 * 32, 64},
};

// A row is an image, or the activations of one image in a critic: 28x28, 64x64x3, wgan's 14x14x64.
const RowsShape images[] = {{64, 28 * 28}, {64, 64 * 64 * 3}, {64, 14 * 14 * 64}};

std::string text(const RowsShape& s) { return std::to_string(s.rows) + "x" + std::to_string(s.cols); }

template <class F>
Work loop(int64_t n, F f) {
    return [n, f](const Call& u) {
        real* y = u.p[0];
        if constexpr (std::is_invocable_v<F>)
            for (int64_t i = 0; i < n; ++i) y[i] = f();
        else if constexpr (std::is_invocable_v<F, real>)
            for (int64_t i = 0; i < n; ++i) y[i] = f(u.p[1][i]);
        else
            for (int64_t i = 0; i < n; ++i) y[i] = f(u.p[1][i], u.p[2][i]);
    };
}

void add_maps(std::vector<KernelCase>& cases) {
    for (const int64_t n : sizes) {
        const CasesOf at{cases, std::to_string(n)};
        // `f` is the formula for the plain loop, with one or two arguments.
        const auto add = [&](const char* kernel, int inputs, double flops, Work run, auto f, const char* note = "") {
            CasesOf{cases, std::to_string(n) + note}.add(kernel, std::vector<Array>(std::size_t(inputs + 1), Array{n}),
                                                         flops * double(n), std::move(run), loop(n, f));
        };
        add("fill", 0, 0, CALL(fill<real>, u.p[0], real(1), n), [] { return real(1); });
        add("copy", 1, 0, CALL(copy<real>, u.p[0], u.p[1], n), [](real a) { return a; });
        add("add", 2, 1, CALL(add<real>, u.p[0], u.p[1], u.p[2], n), [](real a, real b) { return a + b; });
        add("sub", 2, 1, CALL(sub<real>, u.p[0], u.p[1], u.p[2], n), [](real a, real b) { return a - b; });
        add("mul", 2, 1, CALL(mul<real>, u.p[0], u.p[1], u.p[2], n), [](real a, real b) { return a * b; });
        add("div", 2, 1, CALL(div<real>, u.p[0], u.p[1], u.p[2], n), [](real a, real b) { return a / b; });
        add("affine", 1, 2, CALL(affine<real>, u.p[0], u.p[1], real(2), real(1), n), [](real a) { return 2 * a + 1; });
        add("exp", 1, 0, CALL(exp<real>, u.p[0], u.p[1], n), [](real a) { return std::exp(a); });
        add("log", 1, 0, CALL(log<real>, u.p[0], u.p[1], n), [](real a) { return std::log(a); });
        add("sqrt", 1, 0, CALL(sqrt<real>, u.p[0], u.p[1], n), [](real a) { return std::sqrt(a); });
        add("softplus", 1, 0, CALL(softplus<real>, u.p[0], u.p[1], n), [](real a) { return std::log1p(std::exp(a)); });
        add("clamp", 1, 0, CALL(clamp<real>, u.p[0], u.p[1], real(0.2), real(0.8), n),
            [](real a) { return std::clamp(a, real(0.2), real(0.8)); });
        add("clamp_grad", 2, 0, CALL(clamp_grad<real>, u.p[0], u.p[1], u.p[2], real(0.2), real(0.8), n),
            [](real a, real b) { return a >= real(0.2) && a <= real(0.8) ? b : 0; });
        const auto add_activation = [&](const char* note, Activation a, auto f, auto slope) {
            add("activation", 1, 0, CALL(activation<real>, u.p[0], u.p[1], a, n), f, note);
            add("activation_grad", 2, 0, CALL(activation_grad<real>, u.p[0], u.p[1], u.p[2], a, n), slope, note);
        };
        add_activation(
            " leaky_relu", {ActivationKind::leaky_relu, real(0.2)}, [](real x) { return x > 0 ? x : real(0.2) * x; },
            [](real y, real dy) { return y > 0 ? dy : real(0.2) * dy; });
        add_activation(
            " tanh", {ActivationKind::tanh, 0}, [](real x) { return std::tanh(x); },
            [](real y, real dy) { return (1 - y * y) * dy; });
        add_activation(
            " sigmoid", {ActivationKind::sigmoid, 0}, [](real x) { return 1 / (1 + std::exp(-x)); },
            [](real y, real dy) { return y * (1 - y) * dy; });
        add_activation(
            " gelu", {ActivationKind::gelu, 0}, [](real x) { return x * std::erfc(-x * real(0.70710678)) / 2; },
            [](real x, real dy) {
                return (std::erfc(-x * real(0.70710678)) / 2 + x * std::exp(-x * x / 2) * real(0.39894228)) * dy;
            });
        add_activation(
            " silu", {ActivationKind::silu, 0}, [](real x) { return x / (1 + std::exp(-x)); },
            [](real x, real dy) {
                const real s = 1 / (1 + std::exp(-x));
                return s * (1 + x * (1 - s)) * dy;
            });
        at.add("norm2", {{1}, {n}}, 2 * double(n), CALL(norm2<real>, u.p[0], u.p[1], n));
        at.add("accumulate_update", {{n, 2}, {n}}, double(n), CALL(accumulate_update<real>, u.p[0], u.p[1], n));
    }
}

void add_reductions(std::vector<KernelCase>& cases) {
    for (const RowsShape s : matrices) {
        const int64_t n = s.size();
        const double flops = double(n);
        const CasesOf at{cases, text(s)};
        at.add("sum_rows", {{s.cols}, {n}}, flops, CALL(sum_rows<real>, u.p[0], u.p[1], s),
               [s](const Call& u) { naive::sum_rows(u.p[0], u.p[1], s); });
        at.add("expand_rows", {{n}, {s.cols}}, 0, CALL(expand_rows<real>, u.p[0], u.p[1], s));
        const Activation a{ActivationKind::leaky_relu, real(0.2)};
        at.add("bias_activation_grad", {{n}, {s.cols}, {n}, {n}}, 2 * flops,
               CALL(bias_activation_grad<real>, u.p[0], u.p[1], u.p[2], u.p[3], s, a));
    }
    for (const RowsShape s : images) {
        const int64_t n = s.size();
        const double flops = double(n);
        const CasesOf at{cases, text(s)};
        at.add("sum_cols", {{s.rows}, {n}}, flops, CALL(sum_cols<real>, u.p[0], u.p[1], s),
               [s](const Call& u) { naive::sum_cols(u.p[0], u.p[1], s); });
        at.add("expand_cols", {{n}, {s.rows}}, 0, CALL(expand_cols<real>, u.p[0], u.p[1], s));
        at.add("row_norm", {{s.rows}, {n}}, 2 * flops, CALL(row_norm<real>, u.p[0], u.p[1], s));
        at.add("gradient_penalty", {{1}, {s.rows}, {n}}, 2 * flops,
               CALL(gradient_penalty<real>, u.p[0], u.p[1], u.p[2], real(1), real(10), s));
        at.add("gradient_penalty_grad", {{n}, {n}, {s.rows}, {1}}, flops,
               CALL(gradient_penalty_grad<real>, u.p[0], u.p[1], u.p[2], u.p[3], real(1), real(10), s));
        at.add("interpolate", {{n}, {n}, {n}, {s.rows}}, 3 * flops, CALL(interpolate<real>, u.p[0], u.p[1], u.p[2], u.p[3], s));
    }
}

void add_norms(std::vector<KernelCase>& cases) {
    const Activation a{ActivationKind::leaky_relu, real(0.2)};
    const real eps = real(1e-5);
    for (const RowsShape s : matrices) {
        const int64_t n = s.size(), c = s.cols;
        const double flops = double(n);
        const CasesOf at{cases, text(s)};
        at.add("moments", {{2 * c}, {n}}, 4 * flops, CALL(moments<real>, u.p[0], u.p[1], s),
               [s](const Call& u) { naive::moments(u.p[0], u.p[1], s); });
        at.add("batch_norm", {{n}, {n}, {2 * c}, {c}, {c}}, 2 * flops,
               CALL(batch_norm<real>, u.p[0], u.p[1], u.p[2], u.p[3], u.p[4], s, eps, a),
               [s, eps](const Call& u) { naive::batch_norm(u.p[0], u.p[1], u.p[2], u.p[3], u.p[4], s, eps, real(0.2)); });
        // x, y and dy are read for the sums, and again for dx if they do not fit into the caches.
        at.add("batch_norm_grad", {{n}, {c}, {c}, {n}, {n}, {n}, {2 * c}, {c}}, 9 * flops,
               CALL(batch_norm_grad<real>, u.p[0], u.p[1], u.p[2], u.p[3], u.p[4], u.p[5], u.p[6], u.p[7], s, eps, a));
        at.add("running_stats_update", {{2 * c, 2}, {2 * c}}, 6 * double(c), [s](const Call& u) {
            const RunningStats one{u.p[0], u.p[1], s, real(0.1)};
            RUN(u.device, running_stats_update, &one, 1);
        });
    }
    for (const RowsShape s : images) {
        const int64_t n = s.size(), r = s.rows, c = s.cols;
        const double flops = double(n);
        const CasesOf at{cases, text(s)};
        at.add("layer_norm", {{n}, {2 * r}, {n}, {c}, {c}}, 6 * flops,
               CALL(layer_norm<real>, u.p[0], u.p[1], u.p[2], u.p[3], u.p[4], s, eps, a));
        at.add("layer_norm_grad", {{n}, {c}, {c}, {n}, {n}, {n}, {2 * r}, {c}}, 9 * flops,
               CALL(layer_norm_grad<real>, u.p[0], u.p[1], u.p[2], u.p[3], u.p[4], u.p[5], u.p[6], u.p[7], s, a));
    }
}

}  // namespace

void add_elementwise_cases(std::vector<KernelCase>& cases) {
    add_maps(cases);
    add_reductions(cases);
    add_norms(cases);
}

}  // namespace gannet::bench
