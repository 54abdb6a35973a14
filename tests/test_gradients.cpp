// Gradients of every order for the table of op cases: compared with central differences (in double), and fused forms compared
// with compositions of other ops.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/op_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

// The case as a function of its differentiable inputs only.
Build of_differentiable(const Build& build, const OpCase& c, const Tensors& inputs) {
    return [&build, &c, inputs](const Tensors& xs) {
        Tensors all = inputs;
        for (std::size_t i = 0, k = 0; i < all.size(); ++i)
            if (c.inputs[i].use != Use::constant) all[i] = xs[k++];
        return build(all);
    };
}

Tensors differentiable(const OpCase& c, const Tensors& inputs) {
    Tensors xs;
    for (std::size_t i = 0; i < inputs.size(); ++i)
        if (c.inputs[i].use != Use::constant) xs.push_back(inputs[i]);
    return xs;
}

Tensor random_like(const Tensor& x, const std::string& name, int index) {
    return Tensor::from(draw(symmetric, x.size(), name, index), x.shape(), x.device());
}

// Indices of the outputs that depend on the inputs.
std::vector<std::size_t> dependent(const Build& f, const Tensors& xs) {
    const Recording on(true);
    const Tensors ys = f(xs);
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < ys.size(); ++i)
        if (ys[i].requires_grad()) kept.push_back(i);
    return kept;
}

// (xs, dys) -> the gradients of f. The derivatives of this function are the second derivatives of f.
Build gradient_of(Build f, std::size_t count, std::vector<std::size_t> kept) {
    return [=](const Tensors& in) {
        const bool create = recording();
        const Recording on(true);
        Tensors xs(in.begin(), in.begin() + long(count)), ys;
        for (Tensor& x : xs)
            if (!x.requires_grad()) x = x.detach().set_requires_grad();
        const Tensors all = f(xs);
        for (std::size_t i : kept) ys.push_back(all[i]);
        Tensors dx = grad(ys, xs, Tensors(in.begin() + long(count), in.end()), {.create_graph = create, .into = {}});
        for (std::size_t i = 0; i < count; ++i)
            if (!dx[i]) dx[i] = Tensor::full(xs[i].shape(), 0, xs[i].device());
        return dx;
    };
}

// xs and random dys for gradient_of.
Tensors with_cotangents(const Build& f, const Tensors& xs, const std::vector<std::size_t>& kept, const std::string& name) {
    Tensors in = xs;
    const Tensors ys = f(xs);
    for (std::size_t i : kept) in.push_back(random_like(ys[i], name, int(100 + in.size())).set_requires_grad());
    return in;
}

double dot(const std::vector<real>& a, const std::vector<real>& b, double* magnitude = nullptr) {
    long double total = 0, sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) total += double(a[i]) * b[i], sum += std::fabs(double(a[i]) * b[i]);
    if (magnitude) *magnitude += double(sum);
    return double(total);
}

// <outputs, cotangents> at xs; adds the sum of the magnitudes of the terms to `magnitude`.
double value(const Build& f, const Tensors& xs, const std::vector<std::size_t>& kept, const Tensors& cotangents,
             double* magnitude) {
    const Recording off(false);
    const Tensors ys = f(xs);
    double total = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) total += dot(ys[kept[i]].to_host(), cotangents[i].to_host(), magnitude);
    return total;
}

// Compares the derivative in each x along a random direction with central differences. One wrong element of n changes the
// derivative by about 1/n. The tolerance is 1e-7 of the sum of the terms' magnitudes, plus the rounding error of the difference
// quotient. The step is so small that it hardly ever crosses a kink (relu).
void check_derivative(const std::string& name, const Build& f, const Tensors& xs) {
    const std::vector<std::size_t> kept = dependent(f, xs);
    if (kept.empty()) return;  // the gradient is constant
    const Recording on(true);
    const Tensors all = f(xs);
    Tensors ys, cotangents;
    for (std::size_t i : kept) {
        ys.push_back(all[i]);
        cotangents.push_back(random_like(all[i], name, int(200 + i)));
    }
    const Tensors dx = grad(ys, xs, cotangents);
    const double step = 1e-6;
    for (std::size_t i = 0; i < xs.size(); ++i) {
        const std::vector<real> at = xs[i].to_host(), direction = draw(symmetric, xs[i].size(), name, int(300 + i));
        double magnitude = 0, terms = 0, numeric = 0;
        for (const double side : {1.0, -1.0}) {
            std::vector<real> moved = at;
            for (std::size_t e = 0; e < moved.size(); ++e) moved[e] += real(side * step * direction[e]);
            Tensors shifted = xs;
            shifted[i] = Tensor::from(moved, xs[i].shape(), xs[i].device());
            numeric += side * value(f, shifted, kept, cotangents, &magnitude) / (2 * step);
        }
        const double analytic = dx[i] ? dot(dx[i].to_host(), direction, &terms) : 0;
        const double tolerance = 1e-7 * terms + 4e-16 / step * magnitude + 1e-9;
        CHECK_MESSAGE(std::fabs(numeric - analytic) <= tolerance, name, ", input ", i, ": analytic ", analytic, ", numeric ",
                      numeric, ", tolerance ", tolerance);
    }
}

// The largest difference between two lists of tensors, in multiples of the tolerance. The tolerance is relative to the largest
// value of each tensor, or to 0.1 if that is larger (where terms cancel, as in a batch norm over two rows).
double difference(const Tensors& a, const Tensors& b, double tolerance) {
    if (a.size() != b.size()) return INFINITY;
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const std::vector<real> x = a[i].to_host(), y = b[i].to_host();
        if (a[i].shape() != b[i].shape() && a[i].size() != b[i].size()) return INFINITY;
        double largest = 0.1;
        for (real v : y) largest = std::max(largest, std::fabs(double(v)));
        for (std::size_t e = 0; e < x.size(); ++e) {
            const double d = std::fabs(double(x[e]) - y[e]);
            if (!(d <= worst * tolerance * largest)) worst = d == 0 ? worst : d / (tolerance * largest);
            if (std::isnan(d)) return INFINITY;
        }
    }
    return worst;
}

}  // namespace

// Central differences need double; other tests run the same rules in float.
TEST_CASE("gradients of every order agree with central differences" * doctest::skip(sizeof(real) != sizeof(double))) {
    for (const OpCase& c : op_cases()) {
        const Tensors inputs = make_inputs(c, Device::cpu());
        const Tensors xs = differentiable(c, inputs);
        Build f = of_differentiable(c.build, c, inputs);
        Tensors at = xs;
        for (int order = 1; order <= c.orders; ++order) {
            check_derivative(c.name() + ", order " + std::to_string(order), f, at);
            if (order == c.orders) break;
            const std::vector<std::size_t> kept = dependent(f, at);
            if (kept.empty()) break;
            const Tensors next = with_cotangents(f, at, kept, c.name());
            f = gradient_of(f, at.size(), kept);
            at = next;
        }
    }
}

TEST_CASE("fused forms and compositions have the same values, gradients and second gradients") {
    for (const OpCase& c : op_cases()) {
        if (!c.composition) continue;
        const Tensors inputs = make_inputs(c, Device::cpu());
        Build fused = of_differentiable(c.build, c, inputs), composed = of_differentiable(c.composition, c, inputs);
        Tensors at = differentiable(c, inputs);
        for (int order = 0; order <= c.orders; ++order) {
            const Recording on(order < c.orders);
            // In float both forms round: second derivatives of a normalisation over few rows lose a few digits.
            const double tolerance = sizeof(real) == 8 ? 1e-11 : order == 0 ? 2e-5 : order == 1 ? 1e-4 : 2e-3;
            const double worst = difference(fused(at), composed(at), tolerance);
            CHECK_MESSAGE(worst <= 1, c.name(), ", order ", order, ": off by ", worst, " tolerances");
            const std::vector<std::size_t> kept = dependent(fused, at);
            if (kept.empty()) break;
            const Tensors next = with_cotangents(fused, at, kept, c.name());
            fused = gradient_of(fused, at.size(), kept);
            composed = gradient_of(composed, at.size(), kept);
            at = next;
        }
    }
}
