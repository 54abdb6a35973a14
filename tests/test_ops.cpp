// Tests beyond the table of cases: closed forms, special values, empty tensors, destinations, errors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tests/op_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

const double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-5;

Tensor random_tensor(Shape shape, const char* name, const Draw& values = symmetric) {
    const int64_t n = shape.elements();
    return Tensor::from(draw(values, n, name, 0), std::move(shape)).set_requires_grad();
}

double norm_of(const std::vector<real>& x, std::size_t begin, std::size_t count) {
    double total = 0;
    for (std::size_t i = begin; i < begin + count; ++i) total += double(x[i]) * x[i];
    return std::sqrt(total);
}

void check_close(const Tensor& got, const std::vector<double>& expected, const char* what) {
    REQUIRE(bool(got));
    REQUIRE(got.size() == int64_t(expected.size()));
    const std::vector<real> values = got.to_host();
    for (std::size_t i = 0; i < values.size(); ++i)
        CHECK_MESSAGE(std::fabs(values[i] - expected[i]) <= tolerance * (1 + std::fabs(expected[i])), what, ": element ", i,
                      " is ", values[i], ", not ", expected[i]);
}

// The gradient penalty of a critic's summed scores, as the trainer computes it.
Tensor penalty_of(const std::function<Tensor(const Tensor&)>& critic, const Tensor& x, const RowsShape& s) {
    const Tensors g = grad({sum(critic(x))}, {x}, {}, {.create_graph = true, .into = {}});
    return gradient_penalty(g[0], s);
}

}  // namespace

TEST_CASE("gradient penalty of a linear critic: (|w| - 1)^2, gradient 2 (|w| - 1) w / |w|") {
    const int64_t N = 5, F = 13;
    const Tensor x = random_tensor({N, F}, "x"), w = random_tensor({1, F}, "w"), b = random_tensor({1}, "b");
    const Tensor penalty = penalty_of([&](const Tensor& in) { return linear(in, w, b); }, x, {N, F});
    const std::vector<real> weights = w.to_host();
    const double norm = norm_of(weights, 0, weights.size());
    check_close(penalty, {(norm - 1) * (norm - 1)}, "penalty");
    const Tensors d = grad({penalty}, {w, b, x});
    std::vector<double> expected;
    for (real v : weights) expected.push_back(2 * (norm - 1) * v / norm);
    check_close(d[0], expected, "gradient");
    for (const Tensor& zero : {d[1], d[2]})  // the penalty depends on neither b nor x
        if (zero)
            for (real v : zero.to_host()) CHECK(v == 0);
}

TEST_CASE("gradient penalty of a quadratic critic sum a x^2 / 2: its gradients in a and x") {
    const int64_t N = 7, F = 5;
    const RowsShape s{N, F};
    const Tensor x = random_tensor(Shape{N, F}, "points"), a = random_tensor({F}, "curvature", positive);
    const auto critic = [&](const Tensor& in) { return scale(mul(expand_rows(a, s, in.shape()), mul(in, in)), real(0.5)); };
    const Tensor penalty = penalty_of(critic, x, s);
    const std::vector<real> xs = x.to_host(), as = a.to_host();
    double value = 0;
    std::vector<double> da(std::size_t(F), 0), dx;
    for (std::size_t i = 0; i < std::size_t(N); ++i) {
        double norm = 0;
        for (std::size_t j = 0; j < std::size_t(F); ++j) norm += std::pow(double(as[j]) * xs[i * F + j], 2);
        norm = std::sqrt(norm);
        value += (norm - 1) * (norm - 1) / double(N);
        for (std::size_t j = 0; j < std::size_t(F); ++j) {
            const double factor = 2 * (norm - 1) / norm / double(N), v = xs[i * F + j];
            da[j] += factor * as[j] * v * v;
            dx.push_back(factor * as[j] * as[j] * v);
        }
    }
    check_close(penalty, {value}, "penalty");
    const Tensors d = grad({penalty}, {a, x});
    check_close(d[0], da, "in a");
    check_close(d[1], dx, "in x");
}

TEST_CASE("the gradient penalty of a zero gradient is finite in every order") {
    const Tensor x = Tensor::full({3, 4}, 0).set_requires_grad();
    const Tensors d = grad({gradient_penalty(x, {3, 4})}, {x}, {}, {.create_graph = true, .into = {}});
    for (real v : d[0].to_host()) CHECK(v == 0);
    for (real v : grad({sum(d[0])}, {x})[0].to_host()) CHECK(std::isfinite(v));
}

TEST_CASE("a batch norm over one row or over equal rows passes no gradient to x") {
    for (const int64_t rows : {1, 2, 33}) {
        std::vector<real> values;
        for (int64_t e = 0; e < rows * 3; ++e) values.push_back(real(e % 3) - real(0.5));
        const Tensor x = Tensor::from(values, {rows, 3}).set_requires_grad();
        const Tensor gamma = Tensor::full({3}, 2).set_requires_grad(), beta = Tensor::full({3}, real(0.25)).set_requires_grad();
        const Tensor y = batch_norm(x, gamma, beta, {rows, 3}, real(1e-5));
        for (real v : y.to_host()) CHECK(v == real(0.25));
        const Tensors d = grad({y}, {x, gamma, beta}, {Tensor::full({rows, 3}, 1)});
        check_close(d[0], std::vector<double>(std::size_t(rows * 3), 0), "dx");
        check_close(d[1], {0, 0, 0}, "dgamma");
        check_close(d[2], std::vector<double>(3, double(rows)), "dbeta");
    }
}

TEST_CASE("special values: NaN stays, overflow and poles give infinity") {
    const real inf = INFINITY, nan = NAN;
    struct Row {
        const char* what;
        std::function<Tensor(const Tensor&)> f;
        real x, expected;
    };
    const auto act = [](ActivationKind kind) { return [kind](const Tensor& x) { return activation(x, {kind, real(0.25)}); }; };
    const auto limits = [](const Tensor& x) { return clamp(x, -1, 1); };
    const Row rows[] = {
        {"exp", [](const Tensor& x) { return exp(x); }, inf, inf},
        {"exp", [](const Tensor& x) { return exp(x); }, -inf, 0},
        {"exp", [](const Tensor& x) { return exp(x); }, 1000, inf},
        {"exp", [](const Tensor& x) { return exp(x); }, nan, nan},
        {"log", [](const Tensor& x) { return log(x); }, 0, -inf},
        {"log", [](const Tensor& x) { return log(x); }, -1, nan},
        {"log", [](const Tensor& x) { return log(x); }, inf, inf},
        {"log", [](const Tensor& x) { return log(x); }, nan, nan},
        {"sqrt", [](const Tensor& x) { return sqrt(x); }, -1, nan},
        {"softplus", [](const Tensor& x) { return softplus(x); }, 1000, 1000},
        {"softplus", [](const Tensor& x) { return softplus(x); }, -1000, 0},
        {"softplus", [](const Tensor& x) { return softplus(x); }, nan, nan},
        {"clamp", limits, nan, nan},
        {"clamp", limits, inf, 1},
        {"relu", act(ActivationKind::relu), nan, nan},
        {"relu", act(ActivationKind::relu), -inf, 0},
        {"leaky_relu", act(ActivationKind::leaky_relu), nan, nan},
        {"leaky_relu", act(ActivationKind::leaky_relu), -inf, -inf},
        {"tanh", act(ActivationKind::tanh), inf, 1},
        {"tanh", act(ActivationKind::tanh), -1000, -1},
        {"tanh", act(ActivationKind::tanh), nan, nan},
        {"sigmoid", act(ActivationKind::sigmoid), -1000, 0},
        {"sigmoid", act(ActivationKind::sigmoid), 1000, 1},
        {"sigmoid", act(ActivationKind::sigmoid), nan, nan},
        {"gelu", act(ActivationKind::gelu), inf, inf},
        {"gelu", act(ActivationKind::gelu), -1000, 0},
        {"gelu", act(ActivationKind::gelu), nan, nan},
        {"silu", act(ActivationKind::silu), inf, inf},
        {"silu", act(ActivationKind::silu), -1000, 0},
        {"silu", act(ActivationKind::silu), nan, nan},
    };
    for (const Device& device : devices())
        for (const Row& row : rows)
            for (const int64_t n : {1, 40}) {  // remainder loop, vectorised loop
                for (real v : row.f(Tensor::full({n}, row.x, device)).to_host())
                    CHECK_MESSAGE((std::isnan(row.expected) ? std::isnan(v) : v == row.expected), row.what, " of ", row.x, " on ",
                                  device.name(), " is ", v);
            }
}

TEST_CASE("a kernel rejects an activation that it cannot fuse") {
    for (const ActivationRow& row : activation_rows)
        for (const Device& device : devices()) {
            const Tensor x = Tensor::full({1, 1}, 1, device), y = Tensor::empty({1, 1}, device);
            const auto product = [&] {
                RUN(device, matmul, y.data(), nullptr, x.data(), x.data(), static_cast<const real*>(nullptr),
                    MatmulShape{1, 1, 1}, Activation{row.kind, 0});
            };
            if (row.needs_input) CHECK_THROWS_AS(product(), std::invalid_argument);
            else CHECK_NOTHROW(product());
        }
}

TEST_CASE("the row of each activation agrees with the values of the activation") {
    std::vector<real> xs;
    for (int i = -800; i <= 800; ++i) xs.push_back(real(i) / 40);
    for (const ActivationRow& row : activation_rows) {
        CAPTURE(row.name);
        const auto values = [&](double slope) {
            return activation(Tensor::from(xs, {int64_t(xs.size())}), {row.kind, real(slope)}).to_host();
        };
        const std::vector<real> ys = values(0.25);
        CHECK(row.slope == (values(0.5) != ys));
        const auto [low, high] = std::minmax_element(ys.begin(), ys.end());
        for (const auto& [bound, most] : {std::pair(-row.low, -double(*low)), std::pair(row.high, double(*high))})
            CHECK_MESSAGE((std::isinf(bound) ? most > 4 : most <= bound && bound - most < 0.01), bound, " ", most);
        const bool rises = std::is_sorted(ys.begin(), ys.end(), [](real next, real y) { return next < y - real(1e-5); });
        CHECK(row.needs_input == !rises);  // else several x have one y
        bool piecewise_linear = true;
        for (std::size_t i = 0; i < xs.size(); ++i)
            piecewise_linear = piecewise_linear && std::fabs(ys[i] - (xs[i] > 0 ? xs[i] : xs[i] / xs[0] * ys[0])) < 1e-5;
        CHECK(row.piecewise_linear == piecewise_linear);
    }
}

TEST_CASE("losses at extreme scores") {
    const auto loss_at = [](real x, LossForm form) { return double(loss(Tensor::full({1}, x), form).item()); };
    const auto slope_at = [](real x, LossForm form) {
        const Tensor s = Tensor::full({1}, x).set_requires_grad();
        return double(grad({loss(s, form)}, {s})[0].item());
    };
    CHECK(loss_at(0, {LossKind::bce, 1, 0}) == doctest::Approx(100));  // PyTorch clamps the logarithm at -100
    CHECK(loss_at(1, {LossKind::bce, 0, 0}) == doctest::Approx(100));
    CHECK(loss_at(1, {LossKind::bce, 1, 0}) == 0);
    CHECK(slope_at(0, {LossKind::bce, 1, 0}) == doctest::Approx(-1e12));
    CHECK(loss_at(0, {LossKind::bce, 1, real(0.125)}) == doctest::Approx(-std::log(0.125)));
    CHECK(slope_at(0, {LossKind::bce, 1, real(0.125)}) == 0);
    CHECK(loss_at(1000, {LossKind::bce_with_logits, 1, 0}) == 0);
    CHECK(loss_at(-1000, {LossKind::bce_with_logits, 1, 0}) == doctest::Approx(1000));
    CHECK(slope_at(-1000, {LossKind::bce_with_logits, 1, 0}) == doctest::Approx(-1));
    CHECK(slope_at(1, {LossKind::hinge, 1, 0}) == 0);  // 0 at the kink
}

TEST_CASE("empty tensors and empty sums") {
    const Tensor none = Tensor::full({0, 3}, 1).set_requires_grad();
    CHECK(add(none, none).size() == 0);
    CHECK(exp(none).size() == 0);
    for (real v : sum_rows(none, {0, 3}).to_host()) CHECK(v == 0);
    CHECK(sum(none).item() == 0);
    CHECK(grad({sum(exp(none))}, {none})[0].size() == 0);
    // K = 0: c = act(bias)
    const Tensor a = Tensor::full({2, 0}, 1), b = Tensor::full({3, 0}, 1), bias = Tensor::from({1, -2, 3}, {3});
    CHECK(linear(a, b, bias, {ActivationKind::relu, 0}).to_host() == std::vector<real>{1, 0, 3, 1, 0, 3});
    const ConvShape s{0, 4, 4, 3, 2, 2, 5, 3, 3, 1, 0};
    const Tensor x = Tensor::full({0, 4, 4, 3}, 1).set_requires_grad(), w = Tensor::full({5, 3, 3, 3}, 1).set_requires_grad();
    const Tensor y = conv2d(x, w, {}, s);
    CHECK(y.shape() == Shape{0, 2, 2, 5});
    for (real v : grad({y}, {w}, {Tensor::full(y.shape(), 1)})[0].to_host()) CHECK(v == 0);
}

TEST_CASE("ops and gradients of parameters write to given destinations") {
    const Tensor a = random_tensor({2, 3}, "a"), into = Tensor::full({2, 3}, NAN);
    CHECK(add(a, a, into).data() == into.data());
    CHECK(sum_rows(a, {2, 3}, Tensor()).shape() == Shape{3});
    // Calls the rule of every op with parameters, with a destination for each of their gradients.
    int gradients = 0;
    for (const OpCase& c : op_cases()) {
        if (c.op != "matmul" && c.op != "linear" && c.op != "conv2d" && c.op != "conv2d_dgrad" && c.op != "batch_norm" &&
            c.op != "layer_norm")
            continue;
        const Tensors inputs = make_inputs(c, Device::cpu());
        const Tensor y = c.build(inputs)[0];
        const Node& node = *y.impl()->node;
        Tensors destinations(node.inputs.size());
        for (std::size_t i = 0; i < destinations.size(); ++i) {
            const bool parameter = c.op == "matmul" || i > 0;
            if (parameter) destinations[i] = Tensor::full(node.inputs[i].shape(), NAN);
        }
        const Tensors d = node.vjp(
            {node.inputs, {y}, {Tensor::full(y.shape(), 1)}, std::vector<bool>(destinations.size(), true), destinations});
        for (std::size_t i = 0; i < destinations.size(); ++i) {
            if (!destinations[i]) continue;
            CHECK_MESSAGE(d[i].data() == destinations[i].data(), c.name(), ": gradient ", i, " is not where it was asked for");
            ++gradients;
        }
    }
    CHECK(gradients > 100);
}

TEST_CASE("errors name the op and both shapes") {
    const Tensor a = Tensor::full({2, 3}, 1), b = Tensor::full({4, 3}, 1), v = Tensor::full({5}, 1),
                 image = Tensor::full({2, 4, 4, 3}, 1);
    const ConvShape s{2, 4, 4, 3, 2, 2, 5, 3, 3, 1, 0};
    struct Row {
        std::function<void()> f;
        const char* text;
    };
    const Row rows[] = {
        {[&] { add(a, b); }, "add: shape (2, 3) does not fit (4, 3)"},
        {[&] { sub(a, v); }, "sub: shape (2, 3) does not fit (5)"},
        {[&] { mul(a, b); }, "mul: shape (2, 3) does not fit (4, 3)"},
        {[&] { div(a, b); }, "div: shape (2, 3) does not fit (4, 3)"},
        {[&] { matmul(a, b); }, "matmul: shape (2, 3) does not fit (4, 3)"},
        {[&] {
             linear(a, Tensor::full({4, 2}, 1), {});
         },
         "linear: shape (2, 3) does not fit (4, 2): x is (M,K), w (N,K)"},
        {[&] { linear(a, b, v); }, "linear: shape (2, 3) does not fit (5): the bias has one value per output channel"},
        {[&] {
             conv2d(image, Tensor::full({5, 3, 3, 4}, 1), {}, s);
         },
         "conv2d: shape (2, 4, 4, 3) does not fit (5, 3, 3, 4)"},
        {[&] {
             conv2d_dgrad(image, Tensor::full({5, 3, 3, 3}, 1), {}, s);
         },
         "conv2d_dgrad: shape (2, 4, 4, 3) does not fit (5, 3, 3, 3)"},
        {[&] { conv2d_wgrad(image, image, s); }, "conv2d_wgrad: shape (2, 4, 4, 3) does not fit (2, 4, 4, 3)"},
        {[&] {
             batch_norm(a, v, v, {2, 3}, 1);
         },
         "batch_norm: shape (2, 3) does not fit (5): gamma and beta have one value per column"},
        {[&] {
             layer_norm(a, v, {}, {2, 3}, 1);
         },
         "layer_norm: shape (5) does not fit absent: gamma and beta come together"},
        {[&] {
             batch_norm_eval(a, {}, {}, v, {2, 3}, 1);
         },
         "batch_norm_eval: shape (2, 3) does not fit (5): running statistics are (2, cols)"},
        {[&] {
             sum_rows(a, {4, 3});
         },
         "sum_rows: shape (2, 3) is not 4 rows of 3"},
        {[&] {
             expand_rows(v, {2, 3}, {2, 3});
         },
         "expand_rows: shape (5) does not fit (2, 3)"},
        {[&] { reshape(a, {4}); }, "view: (2, 3) has not as many elements as (4)"},
        {[&] {
             split_rows(a, {1, 2});
         },
         "rows: [1, 3) of shape (2, 3)"},
        {[&] { split_rows(a, {1}); }, "split_rows: 1 row of (2, 3)"},
        {[&] { split_rows(a, {}); }, "split_rows: 0 rows of (2, 3)"},
        {[&] {
             concat_rows({a, v});
         },
         "concat_rows: shape (5) does not fit (2, 3)"},
        {[&] { concat_rows({}); }, "concat_rows: nothing to join"},
        {[&] { loss(v, {}, v); }, "loss: another loss to add has shape (5)"},
        {[&] { joined_loss(v, {}, {}); }, "joined_loss: no two halves of scores in shape (5)"},
        {[&] {
             transpose(a, {1, 2, 2}, {2, 2});
         },
         "transpose: (2, 3) to (2, 2)"},
        {[&] { upsample_nearest(a, 2); }, "upsample_nearest: images (N,H,W,C) are needed, not (2, 3)"},
        {[&] { upsample_nearest_grad(image, 3); }, "upsample_nearest_grad: (2, 4, 4, 3) by 3"},
        {[&] {
             dropout(a, {test_counters(a.device()), {}}, {0, 2, 1, 3}, 1);
         },
         "dropout: p = 1.000000: use 0 <= p < 1"},
        {[&] { interpolate(a, a, v); }, "interpolate: shape (2, 3) does not fit (5): one weight per sample"},
        {[&] { loss(Tensor::full({0}, 1), {}); }, "loss: no scores in shape (0)"},
    };
    for (const Row& row : rows) CHECK_THROWS_WITH_AS(row.f(), row.text, Error);
}
