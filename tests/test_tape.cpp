// Tests of the tape: nodes that grad() visits, destinations, several uses and outputs, higher orders, memory, errors.
#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "base/error.h"
#include "engine/autograd/ops.h"

using namespace gannet;

namespace {

Tensor leaf(std::vector<real> values) {
    const int64_t n = int64_t(values.size());
    return Tensor::from(values, {n}).set_requires_grad();
}
using List = std::vector<real>;

// An identity op whose backward rule records its calls, `needs` and its destination.
struct Visits {
    int count = 0;
    std::vector<bool> needs;
    const real* into = nullptr;
};
Tensor probe(const Tensor& x, Visits& visits) {
    return record("probe", x.detach(), {x}, [&visits](const VjpArgs& v) {
        ++visits.count;
        visits.needs = v.needs;
        visits.into = v.into[0] ? v.into[0].data() : nullptr;
        if (!v.into[0]) return Tensors{v.dout[0]};
        v.into[0].device().copy_from_host(v.into[0].data(), v.dout[0].data(), std::size_t(v.dout[0].size()) * sizeof(real));
        return Tensors{v.into[0]};
    });
}

// x -> {2 x, 3 x} as one node
Tensors fork(const Tensor& x) {
    const Tensor a = scale(x.detach(), 2), b = scale(x.detach(), 3);
    return record("fork", Tensors{a.detach(), b.detach()}, {x}, [](const VjpArgs& v) {
        Tensor d;
        if (v.dout[0]) d = scale(v.dout[0], 2);
        if (v.dout[1]) d = d ? add(d, scale(v.dout[1], 3)) : scale(v.dout[1], 3);
        return Tensors{d};
    });
}

}  // namespace

TEST_CASE("grad visits only nodes between the ys and the xs") {
    const Tensor a = leaf({1, 2}), b = leaf({3, 4});
    Visits to_a, to_b, after, before;
    const Tensor h = probe(scale(a, 2), to_a), y = probe(add(h, probe(b, to_b)), after);
    const Tensor aside = probe(scale(a, 5), before);  // not an ancestor of y

    Tensors d = grad({sum(y)}, {a});
    CHECK(d[0].to_host() == List{2, 2});
    CHECK(to_a.count == 1);
    CHECK(to_b.count == 0);
    CHECK(after.count == 1);
    CHECK(before.count == 0);

    d = grad({sum(y)}, {h});  // nodes before h are not visited
    CHECK(d[0].to_host() == List{1, 1});
    CHECK(to_a.count == 1);
    CHECK(to_b.count == 0);
    CHECK(after.count == 2);
}

TEST_CASE("a rule computes only the gradients that are needed") {
    const Tensor a = leaf({1, 2}), b = leaf({3, 4});
    std::vector<bool> needs;
    const Tensor y = record("pair", add(a.detach(), b.detach()).detach(), {a, b}, [&](const VjpArgs& v) {
        needs = v.needs;
        return Tensors{v.dout[0], v.dout[0]};
    });
    grad({sum(y)}, {b});
    CHECK(needs == std::vector<bool>{false, true});
}

TEST_CASE("gradients are written to their destinations") {
    const Tensor flat = Tensor::full({6}, NAN), x = leaf({1, 2}), other = leaf({5, 6});
    const Tensor first = flat.rows(0, 2), second = flat.rows(2, 2);
    Visits visits;
    SUBCASE("one use: the rule writes to the destination") {
        const Tensors d = grad({sum(scale(probe(x, visits), 3))}, {x}, {}, {.create_graph = false, .into = {first}});
        CHECK(visits.into == first.data());
        CHECK(d[0].data() == first.data());
        CHECK(first.to_host() == List{3, 3});
    }
    SUBCASE("several uses: the first rule writes to the destination, the others are added") {
        const Tensor before = add(mul(x, x), x);
        const Tensor y = add(before, scale(probe(x, visits), 2));  // newest node first: the probe contributes first
        const Tensors d = grad({sum(y)}, {x}, {}, {.create_graph = false, .into = {first}});
        CHECK(visits.into == first.data());
        CHECK(d[0].data() == first.data());
        CHECK(first.to_host() == List{5, 7});
    }
    SUBCASE("two uses in one op: only one of them may write to the destination") {
        const Tensor y = record("pair", add(x.detach(), x.detach()).detach(), {x, x}, [](const VjpArgs& v) {
            CHECK(v.into[0]);
            CHECK(!v.into[1]);
            return Tensors{scale(v.dout[0], 1), scale(v.dout[0], 2)};
        });
        grad({sum(y)}, {x}, {}, {.create_graph = false, .into = {first}});
        CHECK(first.to_host() == List{3, 3});
    }
    SUBCASE("several uses, one of them without a gradient") {
        const Tensor before = add(mul(x, x), x), h = probe(x, visits);
        const Tensor y = record("constant", h.detach(), {h}, [](const VjpArgs&) { return Tensors(1); });
        const Tensors d = grad({sum(add(before, y))}, {x}, {}, {.create_graph = false, .into = {first}});
        CHECK(visits.count == 0);
        CHECK(d[0].data() == first.data());
        CHECK(first.to_host() == List{3, 5});
    }
    SUBCASE("unused x: zeros") {
        const Tensors d = grad({sum(x)}, {other, x}, {}, {.create_graph = false, .into = {second, first}});
        CHECK(d[0].data() == second.data());
        CHECK(second.to_host() == List{0, 0});
        CHECK(first.to_host() == List{1, 1});
    }
    SUBCASE("unused x: unchanged if zero_absent is false") {
        grad({sum(x)}, {other, x}, {}, {.create_graph = false, .into = {second, first}, .zero_absent = false});
        CHECK(std::isnan(second.to_host()[0]));
        CHECK(first.to_host() == List{1, 1});
    }
    SUBCASE("a rule that ignores the destination: a copy") {
        grad({x}, {x}, {Tensor::from({7, 8}, {2})}, {.create_graph = false, .into = {first}});
        CHECK(first.to_host() == List{7, 8});
    }
    SUBCASE("one x is computed from another x") {
        const Tensor h = mul(x, x), y = mul(h, h);  // d/dh = 2h, d/dx = 4x^3
        grad({sum(y)}, {h, x}, {}, {.create_graph = false, .into = {first, second}});
        CHECK(first.to_host() == List{2, 8});
        CHECK(second.to_host() == List{4, 32});
    }
    SUBCASE("the same x twice") {
        grad({sum(mul(x, x))}, {x, x}, {}, {.create_graph = false, .into = {first, second}});
        CHECK(first.to_host() == List{2, 4});
        CHECK(second.to_host() == List{2, 4});
    }
    const List rest = flat.rows(4, 2).to_host();
    CHECK((std::isnan(rest[0]) && std::isnan(rest[1])));
}

TEST_CASE("one x, several uses") {
    const Tensor x = leaf({1, 2, 3});
    CHECK(grad({sum(mul(mul(x, x), x))}, {x})[0].to_host() == List{3, 12, 27});
    CHECK(grad({x}, {x}, {Tensor::from({4, 5, 6}, {3})})[0].to_host() == List{4, 5, 6});
    const Tensor y = scale(x, 2), seed = Tensor::from({1, 1, 1}, {3});
    CHECK(grad({y, y}, {x}, {seed, seed})[0].to_host() == List{4, 4, 4});  // the same y twice
    CHECK(grad({y, x}, {x}, {seed, seed})[0].to_host() == List{3, 3, 3});
    CHECK(grad({y, mul(y, y)}, {x, y}, {seed, seed})[1].to_host() == List{5, 9, 13});  // a y that is an x
    CHECK(grad({y, mul(y, y)}, {x, y}, {seed, seed})[0].to_host() == List{10, 18, 26});
    CHECK(grad({y, Tensor(), y}, {x}, {seed, seed, Tensor()})[0].to_host() == List{2, 2, 2});  // absent y, absent dy
    const Tensor h = mul(x, x);
    const Tensors both = grad({sum(mul(h, x))}, {x, h});
    CHECK(both[0].to_host() == List{3, 12, 27});
    CHECK(both[1].to_host() == List{1, 2, 3});
}

TEST_CASE("the gradient of an unused x is absent") {
    const Tensor x = leaf({1}), y = leaf({2});
    const Tensors d = grad({sum(x)}, {y, x});
    CHECK(!d[0]);
    CHECK(d[1].item() == 1);
    CHECK(!grad({sum(y.detach())}, {y})[0]);
    {
        const Recording off(false);
        CHECK(!grad({sum(y)}, {y})[0]);  // not recorded
    }
    const Tensor negative = leaf({-1});
    CHECK(grad({sum(activation(negative, {ActivationKind::relu, 0}))}, {negative})[0].item() == 0);
}

TEST_CASE("nodes with several outputs, some of them unused or freed") {
    const Tensor x = leaf({1, 2});
    {
        const Tensors two = fork(x);
        CHECK(grad({sum(two[0])}, {x})[0].to_host() == List{2, 2});
        CHECK(grad({sum(two[1])}, {x})[0].to_host() == List{3, 3});
        CHECK(grad({sum(mul(two[0], two[1]))}, {x})[0].to_host() == List{12, 24});
    }
    const Tensor kept = fork(x)[1];
    CHECK(grad({sum(kept)}, {x})[0].to_host() == List{3, 3});
}

TEST_CASE("gradients of gradients, to any order") {
    const Tensor x = leaf({2});
    Tensor y = mul(mul(x, x), mul(x, x));
    for (const real expected : {32, 48, 48, 24}) {  // 4x^3, 12x^2, 24x, 24
        y = grad({sum(y)}, {x}, {}, {.create_graph = true, .into = {}})[0];
        CHECK(y.item() == expected);
    }
    const Tensor last = grad({sum(y)}, {x}, {}, {.create_graph = true, .into = {}})[0];
    CHECK((!last || last.item() == 0));
    // a gradient in a graph can be differentiated like any other function
    const Tensor d = grad({sum(exp(x))}, {x}, {}, {.create_graph = true, .into = {}})[0];
    CHECK(double(grad({sum(mul(d, d))}, {x})[0].item()) == doctest::Approx(2 * std::exp(4.0)));
}

TEST_CASE("without create_graph nothing is recorded") {
    const Tensor x = leaf({2});
    const Tensor d = grad({sum(mul(x, x))}, {x})[0];
    CHECK(!d.requires_grad());
    CHECK(recording());
    const Recording off(false);
    CHECK(!mul(x, x).requires_grad());
    CHECK(grad({sum(mul(x, x))}, {x}, {}, {.create_graph = true, .into = {}})[0].impl() == nullptr);
    CHECK(!recording());
}

TEST_CASE("no tensor outlives its scope, for gradients of any order") {
    const int64_t before = live_tensors();
    {
        const Tensor x = leaf({1, 2, 3, 4, 5, 6}), gamma = leaf({1, 2}), beta = leaf({0, 1});
        Tensor y = batch_norm(reshape(x, {3, 2}), gamma, beta, {3, 2}, real(1e-5), {ActivationKind::tanh, 0});
        const Tensors two = fork(y);
        y = loss(add(two[0], two[1]), {LossKind::bce_with_logits, 1, 0});
        for (int order = 0; order < 3; ++order) {
            Tensor total;
            for (const Tensor& d : grad({y}, {x, gamma, beta}, {}, {.create_graph = true, .into = {}})) {
                const Tensor part = sum(mul(d, d));
                total = total ? add(total, part) : part;
            }
            y = total;
        }
        CHECK(std::isfinite(y.item()));
        CHECK(live_tensors() > before + 100);
    }
    CHECK(live_tensors() == before);
}

TEST_CASE("a rule keeps the output that it needs alive, for derivatives of every order") {
    const int64_t before = live_tensors();
    {
        const Tensor x = leaf({1, -2, 3, 1, 2, -1}), w = leaf({1, 2, -1, 0, 1, 3}), bias = leaf({1, -1});
        const Activation gelu{ActivationKind::gelu, 0};
        const auto layer = [&](bool fused) {
            const Tensor rows = reshape(x, {2, 3}), weights = reshape(w, {2, 3});
            const Tensor y = fused ? linear(rows, weights, bias, gelu) : activation(linear(rows, weights, bias), gelu);
            return sum(mul(y, y));  // second derivatives reach both the layer's y and its input of the activation
        };
        const auto derivatives = [&](const Tensor& y) {
            std::vector<std::vector<real>> all;
            Tensor penalty;
            for (const Tensor& d : grad({y}, {x, w, bias}, {}, {.create_graph = true, .into = {}})) {
                all.push_back(d.to_host());
                penalty = penalty ? add(penalty, sum(mul(d, d))) : sum(mul(d, d));
            }
            for (const Tensor& d : grad({penalty}, {x, w, bias})) all.push_back(d.to_host());
            return all;
        };
        const Tensor fused = layer(true);
        const auto first = derivatives(fused), again = derivatives(fused), composed = derivatives(layer(false));
        CHECK(first == again);
        for (std::size_t i = 0; i < composed.size(); ++i)
            for (std::size_t e = 0; e < composed[i].size(); ++e)
                CHECK(first[i][e] == doctest::Approx(composed[i][e]).epsilon(1e-5));
    }
    CHECK(live_tensors() == before);
}

TEST_CASE("a long chain of ops is traversed and freed without deep recursion") {
    const int64_t before = live_tensors();
    {
        const Tensor x = leaf({1});
        Tensor y = x;
        for (int i = 0; i < 100000; ++i) y = affine(y, 1, 1);
        CHECK(y.item() == 100001);
        CHECK(grad({y}, {x})[0].item() == 1);
    }
    CHECK(live_tensors() == before);
}

TEST_CASE("an exception in a rule leaks no tensors") {
    const int64_t before = live_tensors();
    {
        const Tensor x = leaf({1, 2});
        const Tensor y = record("broken", scale(x.detach(), 2).detach(), {x},
                                [](const VjpArgs&) -> Tensors { throw std::logic_error("broken"); });
        for (const bool create_graph : {false, true}) {
            CHECK_THROWS_WITH_AS(grad({sum(y)}, {x}, {}, {.create_graph = create_graph, .into = {}}), "broken", std::logic_error);
            CHECK(recording());
        }
        CHECK(grad({sum(mul(x, x))}, {x})[0].to_host() == List{2, 4});  // the tape still works
    }
    CHECK(live_tensors() == before);
}

TEST_CASE("error messages of grad") {
    const Tensor x = leaf({1, 2}), y = scale(x, 2), two = Tensor::full({2}, 1), three = Tensor::full({3}, 1);
    struct Row {
        std::function<void()> f;
        const char* text;
    };
    const Row rows[] = {
        {[&] { grad({y}, {x}); }, "grad: y has shape (2), so dy must be given"},
        {[&] { grad({y}, {x}, {three}); }, "grad: dy (3) for y (2)"},
        {[&] {
             grad({y}, {x}, {two, two});
         },
         "grad: as many dys as ys are needed, or none"},
        {[&] { grad({y}, {Tensor()}, {two}); }, "grad: an absent tensor has no gradient"},
        {[&] { grad({y}, {x}, {two}, {.create_graph = true, .into = {two}}); }, "grad: destinations cannot be part of a graph"},
        {[&] {
             grad({y}, {x}, {two}, {.create_graph = false, .into = {two, two}});
         },
         "grad: as many destinations as tensors are needed"},
        {[&] { grad({y}, {x}, {two}, {.create_graph = false, .into = {three}}); }, "grad: destination (3) for (2)"},
    };
    for (const Row& row : rows) CHECK_THROWS_WITH_AS(row.f(), row.text, Error);
    const Tensor wrong = record("wrong", x.detach(), {x}, [&](const VjpArgs&) { return Tensors{three}; });
    CHECK_THROWS_WITH_AS(grad({sum(wrong)}, {x}), "grad: gradient (3) of a tensor (2)", Error);
}
