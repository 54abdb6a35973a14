// Cases of the linear family, normalisation and losses.
#include <cmath>

#include "tests/op_cases.h"
#include "tests/reference.h"

namespace gannet::tests {
namespace {

std::string yes(bool on, const char* what) { return on ? std::string(" ") + what : std::string(); }

Values optional(const Lists& x, std::size_t i) { return i < x.size() ? x[i] : Values(); }
Tensor optional(const Tensors& x, std::size_t i) { return i < x.size() ? x[i] : Tensor(); }

// The outputs of a fused layer: y and, if `moments`, its moments.
struct Fused {
    bool bias, moments;
    Activation act;
    std::string label() const {
        return yes(bias, "bias") + (act.kind == ActivationKind::none ? "" : " " + text(act)) + yes(moments, "moments");
    }
    // The outputs of tanh and sigmoid are bounded by 1 but carry the rounding error of their input, a sum of K terms of size
    // sqrt(K) / 3. A variance has twice the relative error of the deviations.
    double terms(double K) const { return K * (act.kind == ActivationKind::none ? 1 : std::max(1.0, K / 9)) * (moments ? 4 : 1); }
    // Calls f with a pointer to the moments, or null, and returns all outputs.
    template <class F>
    Tensors outputs(F f) const {
        Tensor mean_var;
        Tensors y{f(moments ? &mean_var : nullptr)};
        if (moments) y.push_back(mean_var);
        return y;
    }
    // The same outputs from the matrix product or convolution, with bias, activation and moments as separate ops.
    Tensors compose(const Tensor& product, const Tensor& b) const {
        const int64_t channels = product.dim(-1);
        const RowsShape s{product.size() / channels, channels};
        const Tensor y = activation(b ? add(product, expand_rows(b, s, product.shape())) : product, act);
        if (!moments) return {y};
        const Recording off(false);
        const Tensor m = scale(sum_rows(y, s), real(1) / real(s.rows)), d = sub(y, expand_rows(m, s, y.shape()));
        return {y, concat_rows({m, scale(sum_rows(mul(d, d), s), real(1) / real(s.rows))})};
    }
    Lists reference(const Values& product, const Values& b, int64_t channels) const {
        Lists y{reference::finish(product, b, act)};
        if (moments) y.push_back(reference::moments(y[0], {int64_t(product.size()) / channels, channels}, true));
        return y;
    }
};

// The first `complete` shapes of a list use every fused form, the others two forms each.
std::vector<Fused> fused_forms(int index, int complete) {
    std::vector<Fused> forms;
    for (const Activation act : activations())
        for (const bool bias : {false, true}) forms.push_back({bias, (index + int(forms.size())) % 3 == 0, act});
    if (index < complete) return forms;
    return {forms[0], forms[std::size_t(index * 5 + 1) % forms.size()]};
}

void add_matmuls(std::vector<OpCase>& cases) {
    struct Row {
        int64_t M, N, K;
    };
    // up to 4 columns: dot products; above 96 rows, 64 columns or K = 256: several blocks; K of 2048 or more: slices of K
    const Row rows[] = {{1, 1, 1},    {2, 3, 5},   {7, 1, 13},     {5, 4, 31},   {11, 5, 7},  {13, 33, 11},
                        {31, 33, 33}, {3, 2, 700}, {130, 70, 300}, {7, 9, 2100}, {300, 3, 40}};
    for (const Row& r : rows)
        for (const bool ta : {false, true})
            for (const bool tb : {false, true}) {
                const MatmulShape s{r.M, r.N, r.K, ta, tb};
                const std::string label =
                    std::to_string(s.M) + "x" + std::to_string(s.N) + "x" + std::to_string(s.K) + yes(ta, "a^T") + yes(tb, "b^T");
                const Input a{ta ? Shape{s.K, s.M} : Shape{s.M, s.K}, symmetric, ta ? Use::whole : Use::batched};
                cases.push_back({"matmul",
                                 label,
                                 {a, {tb ? Shape{s.N, s.K} : Shape{s.K, s.N}}},
                                 [ta, tb](const Tensors& x) { return Tensors{matmul(x[0], x[1], ta, tb)}; },
                                 [s](const Lists& x) { return Lists{reference::matmul(x[0], x[1], s)}; },
                                 2,
                                 double(s.K)});
            }
    int index = 0;
    for (const Row& r : rows) {
        for (const Fused& f : fused_forms(index++, 6)) {
            const MatmulShape s{r.M, r.N, r.K, false, true};
            std::vector<Input> inputs{{{s.M, s.K}, symmetric, f.moments ? Use::whole : Use::batched}, {{s.N, s.K}}};
            if (f.bias) inputs.push_back({{s.N}});
            OpCase c{"linear",
                     std::to_string(s.M) + "x" + std::to_string(s.N) + "x" + std::to_string(s.K) + f.label(),
                     inputs,
                     [f](const Tensors& x) {
                         return f.outputs([&](Tensor* m) { return linear(x[0], x[1], optional(x, 2), f.act, m); });
                     },
                     [f, s](const Lists& x) { return f.reference(reference::matmul(x[0], x[1], s), optional(x, 2), s.N); },
                     8,
                     f.terms(double(s.K)) + double(s.M)};
            c.composition = [f](const Tensors& x) { return f.compose(matmul(x[0], x[1], false, true), optional(x, 2)); };
            cases.push_back(c);
        }
    }
}

ConvShape with_samples(ConvShape s, const Tensor& x) {
    s.N = x.dim(0);
    return s;
}

void add_convolutions(std::vector<OpCase>& cases) {
    int index = 0;
    for (const ConvShape& s : conv_shapes()) {
        const Shape x{s.N, s.H, s.W, s.C}, w{s.OC, s.R, s.S, s.C}, y{s.N, s.P, s.Q, s.OC};
        const double taps = double(s.R * s.S);
        for (const Fused& f : fused_forms(index++, 3)) {
            const Use samples = f.moments ? Use::whole : Use::batched;
            std::vector<Input> forward{{x, symmetric, samples}, {w}}, adjoint{{y, symmetric, samples}, {w}};
            if (f.bias) forward.push_back({{s.OC}}), adjoint.push_back({{s.C}});
            OpCase c{"conv2d",
                     text(s) + f.label(),
                     forward,
                     [f, s](const Tensors& in) {
                         return f.outputs(
                             [&](Tensor* m) { return conv2d(in[0], in[1], optional(in, 2), with_samples(s, in[0]), f.act, m); });
                     },
                     [f, s](const Lists& in) { return f.reference(reference::conv2d(in[0], in[1], s), optional(in, 2), s.OC); },
                     8,
                     f.terms(convolution_terms(s, taps * double(s.C))) + double(s.N * s.P * s.Q)};
            c.composition = [f, s](const Tensors& in) {
                return f.compose(conv2d(in[0], in[1], {}, with_samples(s, in[0])), optional(in, 2));
            };
            cases.push_back(c);
            OpCase d{
                "conv2d_dgrad",
                text(s) + f.label(),
                adjoint,
                [f, s](const Tensors& in) {
                    return f.outputs(
                        [&](Tensor* m) { return conv2d_dgrad(in[0], in[1], optional(in, 2), with_samples(s, in[0]), f.act, m); });
                },
                [f, s](const Lists& in) { return f.reference(reference::conv2d_dgrad(in[0], in[1], s), optional(in, 2), s.C); },
                8,
                f.terms(convolution_terms(s, taps * double(s.OC))) + double(s.N * s.H * s.W)};
            d.composition = [f, s](const Tensors& in) {
                return f.compose(conv2d_dgrad(in[0], in[1], {}, with_samples(s, in[0])), optional(in, 2));
            };
            if (index <= 3) c.orders = d.orders = 3;
            cases.push_back(d);
        }
        cases.push_back({"conv2d_wgrad",
                         text(s),
                         {{x}, {y}},
                         [s](const Tensors& in) { return Tensors{conv2d_wgrad(in[0], in[1], s)}; },
                         [s](const Lists& in) { return Lists{reference::conv2d_wgrad(in[0], in[1], s)}; },
                         2,
                         convolution_terms(s, double(s.N * s.P * s.Q))});
    }
}

// ---- normalisation ---------------------------------------------------------------------------------------------------

using Norm = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const RowsShape&, real, Activation);

void add_norms(std::vector<OpCase>& cases) {
    const double eps = 1e-5;
    // narrow, tiled and sliced, as for sum_rows; one row; two rows, whose variance may be small
    const RowsShape shapes[] = {{1, 3}, {2, 1}, {5, 3}, {7, 5}, {13, 33}, {31, 11}, {66, 17}, {40, 530}, {9001, 3}, {1100, 40}};
    int index = 0;
    for (const RowsShape& s : shapes) {
        const bool complete = index++ < 4;
        for (const Activation act : activations())
            for (const bool affine : {false, true})
                for (const bool by_column : {true, false}) {
                    if (!complete && (index + int(act.kind)) % 5 != 0) continue;
                    if (!by_column && s.cols == 1) continue;  // the variance of a single value is zero
                    std::vector<Input> inputs{{{s.rows, s.cols}, {-2, 2}, by_column ? Use::whole : Use::batched}};
                    if (affine) inputs.push_back({{s.cols}, positive}), inputs.push_back({{s.cols}});
                    const Norm norm = by_column ? [](const Tensor& x, const Tensor& g, const Tensor& b, const RowsShape& r,
                                                     real e, Activation a) { return batch_norm(x, g, b, r, e, a); }
                                                : Norm(layer_norm);
                    const Norm composed = by_column ? batch_norm_composition : layer_norm_composition;
                    const auto rows = [s](const Tensor& x) { return RowsShape{x.dim(0), s.cols}; };
                    const std::string label = text(s) + yes(affine, "affine") + " " + text(act);
                    const double terms = normalisation_terms(by_column ? s.rows : s.cols);
                    OpCase c{by_column ? "batch_norm" : "layer_norm",
                             label,
                             inputs,
                             [=](const Tensors& x) {
                                 return Tensors{norm(x[0], optional(x, 1), optional(x, 2), rows(x[0]), real(eps), act)};
                             },
                             [=](const Lists& x) {
                                 return Lists{reference::normalise(x[0], reference::moments(x[0], s, by_column), optional(x, 1),
                                                                   optional(x, 2), s, eps, act, by_column)};
                             },
                             16,
                             terms};
                    // Of 9001 rows of three values, some are nearly constant: the rounding of their mean, divided by their
                    // deviation, exceeds the float tolerance of fused against composed forms. `terms` includes it.
                    const bool compared = by_column || s.rows != 9001 || row_of(act.kind).piecewise_linear || sizeof(real) == 8;
                    if (compared)
                        c.composition = [=](const Tensors& x) {
                            return Tensors{composed(x[0], optional(x, 1), optional(x, 2), rows(x[0]), real(eps), act)};
                        };
                    // With one row the gradient is zero up to rounding. Of many values, some lie at a kink, where it jumps.
                    const ActivationRow& row = row_of(act.kind);
                    const bool smooth = !row.piecewise_linear || act.kind == ActivationKind::none;
                    const bool third = row.needs_input || act.kind == ActivationKind::tanh;
                    c.orders = by_column && s.rows == 1 ? 0 : complete && third ? 3 : complete || smooth ? 2 : 1;
                    cases.push_back(c);
                    if (c.orders == 0) continue;

                    // The backward as a separate op: inputs (x[, gamma, beta], dy), outputs {dx[, dgamma, dbeta]}
                    inputs.push_back({{s.rows, s.cols}, symmetric, Use::whole});
                    inputs[0].use = Use::whole;  // dgamma and dbeta are sums over samples
                    const auto backward = [](Build forward) {
                        return [forward](const Tensors& in) {
                            const bool create = recording();
                            const Recording on(true);
                            Tensors xs(in.begin(), in.end() - 1);
                            for (Tensor& x : xs)
                                if (!x.requires_grad()) x = x.detach().set_requires_grad();
                            return grad(forward(xs), xs, {in.back()}, {.create_graph = create, .into = {}});
                        };
                    };
                    OpCase g{c.op + "_grad",
                             label,
                             inputs,
                             backward(c.build),
                             [=](const Lists& in) {
                                 const Values gamma = affine ? in[1] : Values(), beta = affine ? in[2] : Values();
                                 const Values kept =
                                     reference::normalise(in[0], reference::moments(in[0], s, by_column), gamma, beta, s, eps,
                                                          row.needs_input ? Activation{} : act, by_column);
                                 Lists all = reference::normalise_grad(in[0], kept, in.back(), gamma, s, eps, act, by_column);
                                 if (!affine) all.resize(1);
                                 return all;
                             },
                             32,
                             4 * terms + double(s.rows)};
                    if (compared) g.composition = backward(c.composition);
                    g.orders = std::min(c.orders - 1, 1);
                    g.least = 1;
                    cases.push_back(g);
                }
    }
    for (const Activation act : activations())
        for (const bool affine : {false, true}) {
            const RowsShape s{13, 7};
            std::vector<Input> inputs{{{s.rows, s.cols}, {-2, 2}, Use::batched}, {{2, s.cols}, positive, Use::constant}};
            if (affine) inputs.push_back({{s.cols}, positive}), inputs.push_back({{s.cols}});
            cases.push_back(
                {"batch_norm_eval", text(s) + yes(affine, "affine") + " " + text(act), inputs,
                 [=](const Tensors& x) {
                     return Tensors{
                         batch_norm_eval(x[0], optional(x, 2), optional(x, 3), x[1], {x[0].dim(0), s.cols}, real(eps), act)};
                 },
                 [=](const Lists& x) {
                     return Lists{reference::normalise(x[0], x[1], optional(x, 2), optional(x, 3), s, eps, act, true)};
                 },
                 16, 4});
        }
    // Batch norm with the moments computed by a convolution: its gradient must not treat them as constants.
    const ConvShape s = conv_shapes()[4];
    const RowsShape rows{s.N * s.P * s.Q, s.OC};
    const auto reference = [=](const Lists& x) {
        const Values y = reference::conv2d(x[0], x[1], s);
        return Lists{
            reference::normalise(y, reference::moments(y, rows, true), x[2], x[3], rows, eps, {ActivationKind::tanh, 0}, true)};
    };
    OpCase c{"batch_norm",
             "by a convolution's moments",
             {{{s.N, s.H, s.W, s.C}}, {{s.OC, s.R, s.S, s.C}}, {{s.OC}, positive}, {{s.OC}}},
             [=](const Tensors& x) {
                 Tensor moments;
                 const Tensor y = conv2d(x[0], x[1], {}, s, {}, &moments);
                 return Tensors{batch_norm(y, x[2], x[3], rows, real(eps), {ActivationKind::tanh, 0}, &moments)};
             },
             reference,
             16,
             200};
    c.composition = [=](const Tensors& x) {
        return Tensors{batch_norm_composition(conv2d(x[0], x[1], {}, s), x[2], x[3], rows, real(eps), {ActivationKind::tanh, 0})};
    };
    c.orders = 3;
    cases.push_back(c);
}

// ---- losses ----------------------------------------------------------------------------------------------------------

// A loss, and its backward with inputs (scores, dout).
void add_with_backward(std::vector<OpCase>& cases, const OpCase& c, std::function<Values(const Values&, double)> slope) {
    cases.push_back(c);
    const auto backward = [](Build forward) {
        return [forward](const Tensors& in) {
            const bool create = recording();
            const Recording on(true);
            const Tensor x = in[0].requires_grad() ? in[0] : in[0].detach().set_requires_grad();
            return grad(forward({x}), {x}, {in[1]}, {.create_graph = create, .into = {}});
        };
    };
    OpCase g = c;
    g.op += "_grad";
    g.inputs.push_back({Shape{}, positive});
    g.build = backward(c.build);
    g.composition = backward(c.composition);
    g.reference = [slope](const Lists& in) { return Lists{slope(in[0], in[1][0])}; };
    g.ulps = 16;
    cases.push_back(g);
}

void add_losses(std::vector<OpCase>& cases) {
    struct Row {
        LossKind kind;
        const char* name;
        std::vector<real> targets;
        std::vector<double> epsilons;
    };
    const Row rows[] = {{LossKind::bce, "bce", {0, 1, real(0.9)}, {0, 1e-6, 0.2}},
                        {LossKind::bce_with_logits, "bce_with_logits", {0, 1, real(0.9)}, {0}},
                        {LossKind::least_squares, "least_squares", {0, 1, real(0.9)}, {0}},
                        {LossKind::hinge, "hinge", {-1, 1}, {0}},
                        {LossKind::linear, "linear", {-1, 1}, {0}}};
    for (const Row& row : rows)
        for (const real target : row.targets)
            for (const double epsilon : row.epsilons)
                for (const Shape& shape : {Shape{1}, Shape{7, 1}, Shape{33, 1}, Shape{3, 5, 11, 1}, Shape{331, 57}}) {
                    const LossForm form{row.kind, target, real(epsilon), row.kind == LossKind::least_squares ? real(0.5) : 1};
                    const Draw scores = row.kind == LossKind::bce     ? Draw{0.05, 0.95, {epsilon, 1 - epsilon, double(target)}}
                                        : row.kind == LossKind::hinge ? Draw{-2.5, 2.5, {-1, 1}}
                                                                      : Draw{-3, 3, {double(target)}};
                    const double n = double(shape.elements());
                    OpCase c{"loss",
                             std::string(row.name) + " target " + std::to_string(target) +
                                 (epsilon > 0 ? " eps " + std::to_string(epsilon) : "") + shape.str(),
                             {{shape, scores}},
                             [form](const Tensors& x) { return Tensors{loss(x[0], form)}; },
                             [form](const Lists& x) { return Lists{{reference::loss(x[0], form)}}; },
                             16,
                             n};
                    c.composition = [form](const Tensors& x) { return Tensors{loss_composition(x[0], form)}; };
                    add_with_backward(cases, c, [form, n](const Values& x, double dout) {
                        return reference::map(x, [&](double v) { return dout / n * reference::loss_slope(v, form); });
                    });
                }
}

void add_loss_sums(std::vector<OpCase>& cases) {
    const LossForm form{LossKind::bce_with_logits, 1, 0, real(-0.5)};
    cases.push_back({"loss",
                     "plus another",
                     {{{7}, {-3, 3}}, {{}}},
                     [form](const Tensors& x) { return Tensors{loss(x[0], form, x[1])}; },
                     [form](const Lists& x) { return Lists{{reference::loss(x[0], form) + x[1][0]}}; },
                     16,
                     7});
}

void add_joined_losses(std::vector<OpCase>& cases) {
    const LossForm real_logits{LossKind::bce_with_logits, 1, 0}, fake_logits{LossKind::bce_with_logits, 0, 0},
        plus{LossKind::linear, 1, 0, real(0.5)}, minus{LossKind::linear, -1, 0};
    for (const auto& [name, first, second] :
         {std::tuple{"bce_with_logits", real_logits, fake_logits}, {"linear", minus, plus}, {"mixed", minus, fake_logits}})
        for (const Shape& shape : {Shape{2}, {14, 1}, {6, 5}, {400, 3}}) {
            const std::size_t half = std::size_t(shape.elements() / 2);
            const auto halves = [half](const Values& x) {
                return std::pair{Values(x.begin(), x.begin() + long(half)), Values(x.begin() + long(half), x.end())};
            };
            OpCase c{"joined_loss",
                     name + shape.str(),
                     {{shape, {-3, 3}}},
                     [a = first, b = second](const Tensors& x) { return Tensors{joined_loss(x[0], a, b)}; },
                     [a = first, b = second, halves](const Lists& x) {
                         const auto [top, bottom] = halves(x[0]);
                         return Lists{{reference::loss(top, a) + reference::loss(bottom, b)}};
                     },
                     16,
                     double(half)};
            c.composition = [a = first, b = second](const Tensors& x) { return Tensors{joined_loss_composition(x[0], a, b)}; };
            add_with_backward(cases, c, [a = first, b = second, half](const Values& x, double dout) {
                Values dx;
                for (std::size_t i = 0; i < x.size(); ++i)
                    dx.push_back(dout / double(half) * reference::loss_slope(x[i], i < half ? a : b));
                return dx;
            });
        }
}

void add_cross_entropies(std::vector<OpCase>& cases) {
    for (const RowsShape s : {RowsShape{1, 1}, {1, 10}, {7, 3}, {33, 10}, {5, 33}, {11, 1000}, {300, 2}}) {
        Values numbers;
        std::vector<real> labels;
        for (int64_t i = 0; i < s.rows; ++i) numbers.push_back(double(i * 7 % s.cols)), labels.push_back(real(i * 7 % s.cols));
        const auto given = [labels](const Tensor& x) { return Tensor::from(labels, {x.dim(0)}, x.device()); };
        OpCase c{"cross_entropy",
                 text(s),
                 {{{s.rows, s.cols}, {-3, 3}}},
                 [given](const Tensors& x) { return Tensors{cross_entropy(x[0], given(x[0]))}; },
                 [s, numbers](const Lists& x) { return Lists{reference::cross_entropy(x[0], numbers, s)[0]}; },
                 16,
                 double(s.rows + s.cols)};
        c.composition = [given](const Tensors& x) { return Tensors{cross_entropy_composition(x[0], given(x[0]))}; };
        c.least = 1;  // log-sum-exp minus a score cancels where that score is the largest
        add_with_backward(
            cases, c, [s, numbers](const Values& x, double dout) { return reference::cross_entropy_grad(x, numbers, s, dout); });
    }
}

void add_penalties(std::vector<OpCase>& cases) {
    struct Row {
        const char* rows;
        Shape shape;
        RowsShape s;
    };
    const Row rows[] = {{"sample", {1, 1}, {1, 1}},
                        {"sample", {7, 13}, {7, 13}},
                        {"sample", {5, 3, 3, 11}, {5, 99}},
                        {"channel", {5, 3, 3, 11}, {45, 11}},
                        {"batch", {5, 3, 3, 11}, {1, 495}},
                        {"batch", {9, 3001}, {1, 27009}},
                        {"channel", {2, 28, 28, 3}, {1568, 3}}};
    for (const Row& row : rows)
        for (const auto& [target, weight] : {std::pair<real, real>{1, 1}, {0, 1}, {1, 10}}) {
            const RowsShape s = row.s;
            const real t = target, w = weight;
            OpCase c{"gradient_penalty",
                     std::string("per ") + row.rows + row.shape.str() + " target " + std::to_string(int(t)) + " weight " +
                         std::to_string(int(w)),
                     {{row.shape, off_zero}},
                     [s, t, w](const Tensors& x) { return Tensors{gradient_penalty(x[0], s, t, w)}; },
                     [s, t, w](const Lists& x) { return Lists{{reference::gradient_penalty(x[0], s, t, w)}}; },
                     16,
                     double(s.rows + s.cols)};
            c.composition = [s, t, w](const Tensors& x) { return Tensors{gradient_penalty_composition(x[0], s, t, w)}; };
            add_with_backward(
                cases, c, [s, t, w](const Values& x, double dout) { return reference::gradient_penalty_grad(x, s, t, w, dout); });
        }
}

}  // namespace

void add_layer_cases(std::vector<OpCase>& cases) {
    add_matmuls(cases);
    add_convolutions(cases);
    add_norms(cases);
    add_losses(cases);
    add_loss_sums(cases);
    add_joined_losses(cases);
    add_cross_entropies(cases);
    add_penalties(cases);
}

}  // namespace gannet::tests
