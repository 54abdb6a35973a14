#include "tests/kernel_cases.h"

#include <cmath>

#include "engine/model/objective.h"
#include "tests/reference.h"

namespace gannet::tests {
namespace {

const Block out1{1, Access::out};

Block out(int64_t n) { return {n, Access::out}; }
Block in(int64_t n, const Draw& values = symmetric) { return {n, Access::in, values}; }

}  // namespace

const std::vector<KernelCase>& kernel_cases() {
    static const std::vector<KernelCase> all = [] {
        std::vector<KernelCase> cases;
        add_elementwise_kernels(cases);
        add_layer_kernels(cases);
        add_training_kernels(cases);
        keep_selected(cases);
        return cases;
    }();
    return all;
}

// ---- pointwise.inl, reduce.inl, loss.inl, image.inl ------------------------------------------------------------------

void add_elementwise_kernels(std::vector<KernelCase>& cases) {
    const auto map1 = [](auto f) { return [f](const Lists& x) { return Lists{reference::map(x[1], f)}; }; };
    const auto map2 = [](auto f) { return [f](const Lists& x) { return Lists{reference::map(x[1], x[2], f)}; }; };
    const Draw clamped{-1, 1, {-0.5, 0.5}};
    const real low = real(-0.5), high = real(0.5);
    for (const int64_t n : {1, 7, 33, 100, 16384, 16401, 40000}) {  // elements, around the size of one task
        const std::string l = std::to_string(n);
        const std::vector<Block> unary{out(n), in(n)}, binary{out(n), in(n, positive), in(n, positive)};
        cases.push_back({"fill",
                         l,
                         {out(n)},
                         CALL(fill, p[0], real(0.25), n),
                         [n](const Lists&) { return Lists{Values(std::size_t(n), 0.25)}; },
                         0});
        cases.push_back({"copy", l, unary, CALL(copy<real>, p[0], p[1], n), map1([](double x) { return x; }), 0});
        cases.push_back(
            {"add", l, binary, CALL(add<real>, p[0], p[1], p[2], n), map2([](double a, double b) { return a + b; }), 1});
        cases.push_back(
            {"sub", l, binary, CALL(sub<real>, p[0], p[1], p[2], n), map2([](double a, double b) { return a - b; }), 1});
        cases.push_back(
            {"mul", l, binary, CALL(mul<real>, p[0], p[1], p[2], n), map2([](double a, double b) { return a * b; }), 1});
        cases.push_back(
            {"div", l, binary, CALL(div<real>, p[0], p[1], p[2], n), map2([](double a, double b) { return a / b; }), 1});
        cases.push_back({"affine", l, unary, CALL(affine<real>, p[0], p[1], 2, real(-0.75), n),
                         map1([](double x) { return 2 * x - 0.75; }), 1});
        // exp and log over the whole range of float
        cases.push_back({"exp",
                         l,
                         {out(n), in(n, {-87, 88})},
                         CALL(exp<real>, p[0], p[1], n),
                         map1([](double x) { return std::exp(x); }),
                         2});
        cases.push_back({"log",
                         l,
                         {out(n), in(n, {1e-6, 1})},
                         CALL(log<real>, p[0], p[1], n),
                         map1([](double x) { return std::log(x); }),
                         2});
        cases.push_back({"log",
                         l + " large",
                         {out(n), in(n, {1, 1e30})},
                         CALL(log<real>, p[0], p[1], n),
                         map1([](double x) { return std::log(x); }),
                         2});
        cases.push_back({"sqrt",
                         l,
                         {out(n), in(n, {0, 1e6})},
                         CALL(sqrt<real>, p[0], p[1], n),
                         map1([](double x) { return std::sqrt(x); }),
                         1});
        cases.push_back({"softplus",
                         l,
                         {out(n), in(n, {-60, 60})},
                         CALL(softplus<real>, p[0], p[1], n),
                         map1([](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }),
                         4});
        cases.push_back({"clamp", l, unary, CALL(clamp<real>, p[0], p[1], low, high, n),
                         map1([](double x) { return std::clamp(x, -0.5, 0.5); }), 0});
        cases.push_back({"clamp_grad",
                         l,
                         {out(n), in(n, clamped), in(n)},
                         CALL(clamp_grad<real>, p[0], p[1], p[2], low, high, n),
                         map2([](double x, double dy) { return std::fabs(x) < 0.5 ? dy : 0; }),
                         0});
        for (const Activation act : activations()) {
            // gelu(x) is denormal in float below x = -13, with fewer digits
            const Draw inputs = act.kind == ActivationKind::gelu ? Draw{-12, 30} : Draw{-30, 30};
            cases.push_back({"activation",
                             l + " " + text(act),
                             {out(n), in(n, inputs)},
                             CALL(activation<real>, p[0], p[1], act, n),
                             map1([act](double x) { return reference::activate(x, act); }),
                             4});
            cases.push_back({"activation_grad",
                             l + " " + text(act),
                             {out(n), in(n, kept_values(act)), in(n)},
                             CALL(activation_grad<real>, p[0], p[1], p[2], act, n),
                             map2([act](double kept, double dy) { return reference::slope_at(kept, act) * dy; }),
                             24,
                             slope_terms(act)});
        }
        cases.push_back({"norm2",
                         l,
                         {out1, in(n)},
                         CALL(norm2<real>, p[0], p[1], n),
                         [](const Lists& x) {
                             long double total = 0;
                             for (double v : x[1]) total += v * v;
                             return Lists{{double(std::sqrt(total))}};
                         },
                         2,
                         16});
        for (const LossInfo& row : losses()) {
            const LossKind kind = row.kind;
            const LossForm form{kind, 1, kind == LossKind::bce && n % 2 ? real(0.125) : 0,
                                kind == LossKind::hinge ? real(-0.5) : 1};
            const Draw scores = kind == LossKind::bce ? Draw{0.05, 0.95, {0.125, 0.875}} : Draw{-3, 3, {1}};
            const std::string label = l + " kind " + std::to_string(int(kind));
            cases.push_back({"loss",
                             label,
                             {out1, in(n, scores)},
                             CALL(loss<real>, p[0], p[1], nullptr, form, n),
                             [form](const Lists& x) { return Lists{{reference::loss(x[1], form)}}; },
                             8,
                             double(n)});
            cases.push_back({"loss",
                             label + " plus another",
                             {out1, in(n, scores), in(1)},
                             CALL(loss<real>, p[0], p[1], p[2], form, n),
                             [form](const Lists& x) { return Lists{{reference::loss(x[1], form) + x[2][0]}}; },
                             8,
                             double(n)});
            cases.push_back({"loss_grad",
                             label,
                             {out(n), in(n, scores), in(1, positive)},
                             CALL(loss_grad<real>, p[0], p[1], p[2], form, n),
                             [form, n](const Lists& x) {
                                 return Lists{reference::map(
                                     x[1], [&](double v) { return x[2][0] / double(n) * reference::loss_slope(v, form); })};
                             },
                             8,
                             1});
        }
    }
    for (const RowsShape s : {RowsShape{1, 1},
                              {1, 7},
                              {7, 1},
                              {33, 2},
                              {5, 31},
                              {31, 33},
                              {3, 1000},
                              {17001, 1},
                              {3001, 13},
                              {600, 40},
                              {2, 33001}}) {
        const int64_t n = s.size();
        const std::string l = text(s);
        cases.push_back({"sum_rows",
                         l,
                         {out(s.cols), in(n)},
                         CALL(sum_rows<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::sum_rows(x[1], s)}; },
                         1,
                         double(s.rows)});
        cases.push_back({"sum_cols",
                         l,
                         {out(s.rows), in(n)},
                         CALL(sum_cols<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::sum_cols(x[1], s)}; },
                         1,
                         double(s.cols)});
        cases.push_back({"expand_rows",
                         l,
                         {out(n), in(s.cols)},
                         CALL(expand_rows<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::expand_rows(x[1], s)}; },
                         0});
        cases.push_back({"expand_cols",
                         l,
                         {out(n), in(s.rows)},
                         CALL(expand_cols<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::expand_cols(x[1], s)}; },
                         0});
        cases.push_back({"row_norm",
                         l,
                         {out(s.rows), in(n)},
                         CALL(row_norm<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::row_norm(x[1], s)}; },
                         4,
                         double(s.cols)});
        cases.push_back({"gradient_penalty",
                         l,
                         {out1, out(s.rows), in(n)},
                         CALL(gradient_penalty<real>, p[0], p[1], p[2], 1, 10, s),
                         [s](const Lists& x) {
                             return Lists{{reference::gradient_penalty(x[2], s, 1, 10)}, reference::row_norm(x[2], s)};
                         },
                         8,
                         double(s.rows + s.cols)});
        cases.push_back({"gradient_penalty_grad",
                         l,
                         {out(n), in(n), in(s.rows, positive), in(1, positive)},
                         CALL(gradient_penalty_grad<real>, p[0], p[1], p[2], p[3], 1, 10, s),
                         [s](const Lists& x) { return Lists{reference::gradient_penalty_grad(x[1], s, 1, 10, x[3][0])}; },
                         16,
                         double(s.cols),
                         [s](Lists& x) { x[2] = reference::row_norm(x[1], s); }});
        const auto labels = [s](Lists& x, int which) {
            for (int64_t i = 0; i < s.rows; ++i) x[std::size_t(which)][std::size_t(i)] = double(i * 7 % s.cols);
        };
        if (s.cols > 1) {  // with a single column the loss is 0 and has no relative error
            cases.push_back({"cross_entropy",
                             l,
                             {out1, out(s.rows), in(n), in(s.rows)},
                             CALL(cross_entropy<real>, p[0], p[1], p[2], p[3], s),
                             [s](const Lists& x) { return reference::cross_entropy(x[2], x[3], s); },
                             16,
                             double(s.rows + s.cols),
                             [labels](Lists& x) { labels(x, 3); }});
            cases.push_back({"cross_entropy_grad",
                             l,
                             {out(n), in(n), in(s.rows), in(s.rows), in(1, positive)},
                             CALL(cross_entropy_grad<real>, p[0], p[1], p[2], p[3], p[4], s),
                             [s](const Lists& x) { return Lists{reference::cross_entropy_grad(x[1], x[2], s, x[4][0])}; },
                             16,
                             double(s.cols),
                             [labels, s](Lists& x) {
                                 labels(x, 2);
                                 x[3] = reference::cross_entropy(x[1], x[2], s)[1];
                             }});
        }
        cases.push_back({"interpolate",
                         l,
                         {out(n), in(n), in(n), in(s.rows, {0, 1})},
                         CALL(interpolate<real>, p[0], p[1], p[2], p[3], s),
                         [s](const Lists& x) {
                             Values y;
                             for (std::size_t e = 0; e < x[1].size(); ++e) {
                                 const double w = x[3][e / std::size_t(s.cols)];
                                 y.push_back(w * x[1][e] + (1 - w) * x[2][e]);
                             }
                             return Lists{y};
                         },
                         1,
                         1});
        for (const Activation act : activations())
            cases.push_back({"bias_activation_grad",
                             l + " " + text(act),
                             {out(n), out(s.cols), in(n, kept_values(act)), in(n)},
                             CALL(bias_activation_grad<real>, p[0], p[1], p[2], p[3], s, act),
                             [s, act](const Lists& x) {
                                 const Values dx = reference::map(
                                     x[2], x[3], [act](double kept, double dy) { return reference::slope_at(kept, act) * dy; });
                                 return Lists{dx, reference::sum_rows(dx, s)};
                             },
                             24,
                             double(s.rows)});
    }
    for (const TransposeShape s : {TransposeShape{1, 1, 1},
                                   {2, 3, 5},
                                   {3, 1, 7},
                                   {2, 31, 33},
                                   {1, 67, 130},
                                   {7, 784, 3},
                                   {5, 4, 64},
                                   {4, 16, 100},
                                   {3, 8, 9},
                                   {7, 3, 784},
                                   {2, 64, 64}}) {
        const std::string l = std::to_string(s.batch) + "x" + std::to_string(s.rows) + "x" + std::to_string(s.cols);
        cases.push_back({"transpose",
                         l,
                         {out(s.size()), in(s.size())},
                         CALL(transpose<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::transpose(x[1], s)}; },
                         0});
    }
    for (const UpsampleShape s : {UpsampleShape{1, 1, 1, 1, 1},
                                  {2, 3, 5, 7, 2},
                                  {3, 5, 2, 1, 3},
                                  {2, 7, 7, 33, 2},
                                  {5, 11, 13, 31, 2},
                                  {2, 4, 4, 32, 2},
                                  {2, 3, 5, 4, 3}}) {
        const std::string l = std::to_string(s.N) + "x" + std::to_string(s.H) + "x" + std::to_string(s.W) + "x" +
                              std::to_string(s.C) + " by " + std::to_string(s.scale);
        cases.push_back({"upsample_nearest",
                         l,
                         {out(s.out_size()), in(s.in_size())},
                         CALL(upsample_nearest<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::upsample(x[1], s)}; },
                         0});
        cases.push_back({"upsample_nearest_grad",
                         l,
                         {out(s.in_size()), in(s.out_size())},
                         CALL(upsample_nearest_grad<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::upsample_grad(x[1], s)}; },
                         1,
                         double(s.scale * s.scale)});
    }
}

// ---- matmul.inl, conv2d.inl, norm.inl --------------------------------------------------------------------------------

void add_layer_kernels(std::vector<KernelCase>& cases) {
    const real* const none = nullptr;
    const Activation leaky{ActivationKind::leaky_relu, real(0.25)}, tanh{ActivationKind::tanh, 0};
    // Blocks: y, moments, two operands, bias. One case without the optional ones (moments, bias), one with them.
    const auto layer = [&](const char* kernel, const std::string& l, int64_t y, int64_t channels, int64_t a, int64_t b,
                           double terms, auto call, auto product) {
        const RowsShape rows{y / channels, channels};
        cases.push_back({kernel,
                         l,
                         {out(y), in(a), in(b)},
                         [=](Device d, const std::vector<real*>& p) { call(d, p[0], nullptr, p[1], p[2], none, Activation{}); },
                         [=](const Lists& x) { return Lists{product(x[1], x[2])}; },
                         2,
                         terms});
        cases.push_back({kernel,
                         l + " with bias and activation",
                         {out(y), in(a), in(b), in(channels)},
                         [=](Device d, const std::vector<real*>& p) { call(d, p[0], nullptr, p[1], p[2], p[3], leaky); },
                         [=](const Lists& x) { return Lists{reference::finish(product(x[1], x[2]), x[3], leaky)}; },
                         8,
                         terms});
        cases.push_back({kernel,
                         l + " with bias, activation and moments",
                         {out(y), out(2 * channels), in(a), in(b), in(channels)},
                         [=](Device d, const std::vector<real*>& p) { call(d, p[0], p[1], p[2], p[3], p[4], leaky); },
                         [=](const Lists& x) {
                             const Values finished = reference::finish(product(x[2], x[3]), x[4], leaky);
                             return Lists{finished, reference::moments(finished, rows, true)};
                         },
                         8,
                         terms + double(rows.rows)});
    };
    struct Product {
        int64_t M, N, K;
    };
    const Product products[] = {{1, 1, 1},    {2, 3, 5},     {13, 1, 7},    {3, 2, 700},  {11, 4, 31},  {7, 5, 13},
                                {31, 33, 11}, {33, 70, 300}, {130, 66, 33}, {7, 9, 2100}, {65, 300, 70}};
    for (const Product& r : products)
        for (const int form : {0, 1, 2, 3}) {
            const MatmulShape s{r.M, r.N, r.K, bool(form & 1), bool(form & 2)};
            layer(
                "matmul",
                std::to_string(r.M) + "x" + std::to_string(r.N) + "x" + std::to_string(r.K) + " form " + std::to_string(form),
                s.M * s.N, s.N, s.M * s.K, s.K * s.N, double(s.K),
                [s](Device d, real* y, real* m, const real* a, const real* b, const real* bias, Activation act) {
                    RUN(d, matmul, y, m, a, b, bias, s, act);
                },
                [s](const Values& a, const Values& b) { return reference::matmul(a, b, s); });
        }
    for (const ConvShape& s : conv_shapes()) {
        const double taps = double(s.R * s.S);
        layer(
            "conv2d", text(s), s.out_size(), s.OC, s.in_size(), s.filter_size(), convolution_terms(s, taps * double(s.C)),
            [s](Device d, real* y, real* m, const real* x, const real* w, const real* bias, Activation act) {
                RUN(d, conv2d, y, m, x, w, bias, s, act);
            },
            [s](const Values& x, const Values& w) { return reference::conv2d(x, w, s); });
        layer(
            "conv2d_dgrad", text(s), s.in_size(), s.C, s.out_size(), s.filter_size(), convolution_terms(s, taps * double(s.OC)),
            [s](Device d, real* y, real* m, const real* x, const real* w, const real* bias, Activation act) {
                RUN(d, conv2d_dgrad, y, m, x, w, bias, s, act);
            },
            [s](const Values& dy, const Values& w) { return reference::conv2d_dgrad(dy, w, s); });
        cases.push_back({"conv2d_wgrad",
                         text(s),
                         {out(s.filter_size()), in(s.in_size()), in(s.out_size())},
                         CALL(conv2d_wgrad<real>, p[0], p[1], p[2], s),
                         [s](const Lists& x) { return Lists{reference::conv2d_wgrad(x[1], x[2], s)}; },
                         2,
                         convolution_terms(s, double(s.N * s.P * s.Q))});
    }

    const real eps = real(1e-5);
    for (const RowsShape s :
         {RowsShape{1, 3}, {3, 1}, {5, 3}, {31, 11}, {13, 33}, {66, 32}, {40, 530}, {17001, 1}, {9001, 3}, {1100, 40}}) {
        const std::string l = text(s);
        const int64_t n = s.size(), c = s.cols;
        const double column_terms = normalisation_terms(s.rows), row_terms = normalisation_terms(s.cols);
        const Draw wide{-2, 2};
        cases.push_back({"moments",
                         l,
                         {out(2 * c), in(n, wide)},
                         CALL(moments<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::moments(x[1], s, true)}; },
                         4,
                         double(s.rows)});
        // The rounding error of the mean, 1000, enters the variance. Computing E[x^2] - E[x]^2 would be off by millions of ulps.
        cases.push_back({"moments",
                         l + " far from zero",
                         {out(2 * c), in(n, {1000, 1001})},
                         CALL(moments<real>, p[0], p[1], s),
                         [s](const Lists& x) { return Lists{reference::moments(x[1], s, true)}; },
                         256,
                         0});
        for (const int form : {0, 1}) {
            const Activation act = form ? tanh : Activation{};
            const auto or_null = [form](real* p) -> const real* { return form ? p : nullptr; };
            const std::string label = l + (form ? " affine tanh" : "");
            cases.push_back({"batch_norm",
                             label,
                             {out(n), in(n, wide), in(2 * c, positive), in(c, positive), in(c)},
                             CALL(batch_norm<real>, p[0], p[1], p[2], or_null(p[3]), or_null(p[4]), s, eps, act),
                             [=](const Lists& x) {
                                 return Lists{reference::normalise(x[1], x[2], form ? x[3] : Values(), form ? x[4] : Values(), s,
                                                                   eps, act, true)};
                             },
                             8,
                             8});
            cases.push_back(
                {"layer_norm",
                 label,
                 {out(n), out(2 * s.rows), in(n, wide), in(c, positive), in(c)},
                 CALL(layer_norm<real>, p[0], p[1], p[2], or_null(p[3]), or_null(p[4]), s, eps, act),
                 [=](const Lists& x) {
                     const Values m = reference::moments(x[2], s, false);
                     Values kept = m;
                     for (std::size_t i = std::size_t(s.rows); i < kept.size(); ++i) kept[i] = 1 / std::sqrt(kept[i] + eps);
                     return Lists{
                         reference::normalise(x[2], m, form ? x[3] : Values(), form ? x[4] : Values(), s, eps, act, false), kept};
                 },
                 16,
                 row_terms});
            for (const bool by_column : {true, false}) {
                if (by_column ? s.rows == 1 : s.cols == 1) continue;  // the gradient is zero up to rounding error
                const std::string kernel = by_column ? "batch_norm_grad" : "layer_norm_grad";
                const int64_t groups = by_column ? s.cols : s.rows;
                // blocks: dx, dgamma, dbeta, x, y, dy, statistics, gamma; without affine: dx, x, dy, statistics, nullptr
                if (form) {
                    cases.push_back(
                        {kernel,
                         label,
                         {out(n), out(c), out(c), in(n, wide), in(n), in(n), in(2 * groups), in(c, positive)},
                         [=](Device d, const std::vector<real*>& p) {
                             if (by_column)
                                 RUN(d, batch_norm_grad<real>, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], s, eps, act);
                             else RUN(d, layer_norm_grad<real>, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], s, act);
                         },
                         [=](const Lists& x) {
                             return reference::normalise_grad(x[3], x[4], x[5], x[7], s, eps, act, by_column);
                         },
                         32,
                         4 * (by_column ? column_terms : row_terms) + double(s.rows),
                         [=](Lists& x) {
                             x[6] = reference::moments(x[3], s, by_column);
                             x[4] = reference::normalise(x[3], x[6], x[7], {}, s, eps, act, by_column);
                             if (!by_column)
                                 for (std::size_t i = std::size_t(groups); i < x[6].size(); ++i)
                                     x[6][i] = 1 / std::sqrt(x[6][i] + eps);
                         }});
                } else {
                    cases.push_back({kernel,
                                     l + " with nulls",
                                     {out(n), in(n, wide), in(n), in(2 * groups)},
                                     [=](Device d, const std::vector<real*>& p) {
                                         if (by_column)
                                             RUN(d, batch_norm_grad<real>, p[0], nullptr, nullptr, p[1], nullptr, p[2], p[3],
                                                 nullptr, s, eps, act);
                                         else
                                             RUN(d, layer_norm_grad<real>, p[0], nullptr, nullptr, p[1], nullptr, p[2], p[3],
                                                 nullptr, s, act);
                                     },
                                     [=](const Lists& x) {
                                         return Lists{reference::normalise_grad(x[1], x[2], x[2], {}, s, eps, act, by_column)[0]};
                                     },
                                     32,
                                     4 * (by_column ? column_terms : row_terms),
                                     [=](Lists& x) {
                                         x[3] = reference::moments(x[1], s, by_column);
                                         if (!by_column)
                                             for (std::size_t i = std::size_t(groups); i < x[3].size(); ++i)
                                                 x[3][i] = 1 / std::sqrt(x[3][i] + eps);
                                     }});
                }
            }
        }
        cases.push_back({"running_stats_update",
                         l,
                         {{2 * c, Access::updated, positive}, in(2 * c, positive)},
                         [s](Device d, const std::vector<real*>& p) {
                             const RunningStats stats{p[0], p[1], s, real(0.125)};
                             RUN(d, running_stats_update, &stats, 1);
                         },
                         [s](const Lists& x) {
                             Values running = x[0];
                             for (std::size_t i = 0; i < running.size(); ++i) {
                                 const double unbiased =
                                     i < std::size_t(s.cols) || s.rows == 1 ? 1 : double(s.rows) / double(s.rows - 1);
                                 running[i] += 0.125 * (x[1][i] * unbiased - running[i]);
                             }
                             return Lists{running};
                         },
                         4});
    }
}

}  // namespace gannet::tests
