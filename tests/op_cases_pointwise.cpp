// Cases of ops without weights: shapes, pointwise, reductions, dropout.
#include <cmath>

#include "engine/tensor/random.h"
#include "tests/op_cases.h"
#include "tests/reference.h"

namespace gannet::tests {
namespace {

const Shape shapes[] = {{1}, {7}, {3, 5}, {33, 31}, {2, 3, 5, 7}};
const Shape large{13, 1309};  // larger than one block of the elementwise kernels

// All test shapes; axis 0 is the batch.
std::vector<Shape> all_shapes() {
    std::vector<Shape> all(std::begin(shapes), std::end(shapes));
    all.push_back(large);
    return all;
}

void add_unary(std::vector<OpCase>& cases) {
    struct Row {
        const char *op, *options;
        Draw draw;
        std::function<Tensor(const Tensor&)> f;
        double (*reference)(double);
        double ulps;
    };
    // ulps: measured error bounds of kernels/math.h in float, rounded up; the standard library in double is within them
    const Row rows[] = {
        {"exp", "", {-5, 5}, [](const Tensor& x) { return exp(x); }, [](double x) { return std::exp(x); }, 4},
        {"log", "", {0.1, 9}, [](const Tensor& x) { return log(x); }, [](double x) { return std::log(x); }, 4},
        {"sqrt", "", positive, [](const Tensor& x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }, 1},
        {"softplus",
         "",
         {-9, 9},
         [](const Tensor& x) { return softplus(x); },
         [](double x) { return std::log1p(std::exp(x)); },
         4},
        {"affine", "-3x+2", symmetric, [](const Tensor& x) { return affine(x, -3, 2); }, [](double x) { return 2 - 3 * x; }, 4},
        {"affine", "scale", symmetric, [](const Tensor& x) { return scale(x, real(0.5)); }, [](double x) { return x / 2; }, 0},
        {"clamp",
         "to +-0.5",
         {-1, 1, {-0.5, 0.5}},
         [](const Tensor& x) { return clamp(x, real(-0.5), real(0.5)); },
         [](double x) { return x < -0.5  ? -0.5
                               : x > 0.5 ? 0.5
                                         : x; },
         0},
        {"identity", "", symmetric, [](const Tensor& x) { return identity(x); }, [](double x) { return x; }, 0},
        {"reshape", "flat", symmetric,
         [](const Tensor& x) {
             return reshape(x, {x.dim(0), x.size() / x.dim(0)});
         },
         [](double x) { return x; }, 0},
    };
    for (const Row& row : rows)
        for (const Shape& shape : all_shapes()) {
            const auto f = row.f;
            const auto g = row.reference;
            // 2 - 3x cancels: its error is relative to the terms, hence one `term`
            cases.push_back({row.op,
                             std::string(row.options) + shape.str(),
                             {{shape, row.draw, Use::batched}},
                             [f](const Tensors& x) { return Tensors{f(x[0])}; },
                             [g](const Lists& x) { return Lists{reference::map(x[0], g)}; },
                             row.ulps,
                             row.op == std::string("affine") ? 1.0 : 0.0});
        }
}

void add_binary(std::vector<OpCase>& cases) {
    struct Row {
        const char* op;
        Draw draw;
        std::function<Tensor(const Tensor&, const Tensor&)> f;
        double (*reference)(double, double);
    };
    const Row rows[] = {
        {"add", symmetric, [](const Tensor& a, const Tensor& b) { return add(a, b); }, [](double a, double b) { return a + b; }},
        {"sub", symmetric, [](const Tensor& a, const Tensor& b) { return sub(a, b); }, [](double a, double b) { return a - b; }},
        {"mul", symmetric, [](const Tensor& a, const Tensor& b) { return mul(a, b); }, [](double a, double b) { return a * b; }},
        {"div", positive, [](const Tensor& a, const Tensor& b) { return div(a, b); }, [](double a, double b) { return a / b; }},
        {"clamp_grad",
         {-1, 1, {-0.5, 0.5}},
         [](const Tensor& x, const Tensor& dy) { return clamp_grad(x, dy, real(-0.5), real(0.5)); },
         [](double x, double dy) { return std::fabs(x) <= 0.5 ? dy : 0; }},
    };
    for (const Row& row : rows)
        for (const Shape& shape : all_shapes()) {
            const auto f = row.f;
            const auto g = row.reference;
            cases.push_back({row.op,
                             shape.str(),
                             {{shape, row.draw, Use::batched}, {shape, row.draw, Use::batched}},
                             [f](const Tensors& x) { return Tensors{f(x[0], x[1])}; },
                             [g](const Lists& x) { return Lists{reference::map(x[0], x[1], g)}; },
                             1});  // one rounding
        }
}

void add_activations(std::vector<OpCase>& cases) {
    for (const Activation act : activations()) {
        if (act.kind == ActivationKind::none) continue;
        const Draw kept = kept_values(act);
        const auto slope = [act](double x, double dy) { return reference::slope_at(x, act) * dy; };
        for (const Shape& shape : all_shapes()) {
            cases.push_back({"activation",
                             text(act) + shape.str(),
                             {{shape, {-4, 4, {0}}, Use::batched}},
                             [act](const Tensors& x) { return Tensors{activation(x[0], act)}; },
                             [act](const Lists& x) { return Lists{reference::activate(x[0], act)}; },
                             4});
            // 1 - y^2 and y (1 - y) cancel by a factor of at most 1 / 0.05: up to 20 ulps
            cases.push_back({"activation_grad",
                             text(act) + shape.str(),
                             {{shape, kept, Use::batched}, {shape, symmetric, Use::batched}},
                             [act](const Tensors& x) { return Tensors{activation_grad(x[0], x[1], act)}; },
                             [slope](const Lists& x) { return Lists{reference::map(x[0], x[1], slope)}; },
                             24,
                             slope_terms(act)});
        }
        for (const RowsShape s : {RowsShape{1, 1}, {7, 5}, {33, 31}, {3, 700}, {13001, 3}, {900, 40}}) {
            cases.push_back({"bias_activation_grad",
                             text(act) + " " + text(s),
                             {{{s.rows, s.cols}, kept}, {{s.rows, s.cols}, symmetric}},
                             [act, s](const Tensors& x) { return bias_activation_grad(x[0], x[1], s, act); },
                             [slope, s](const Lists& x) {
                                 const Values dx = reference::map(x[0], x[1], slope);
                                 return Lists{dx, reference::sum_rows(dx, s)};
                             },
                             24,
                             double(s.rows)});
        }
    }
}

void add_reductions(std::vector<OpCase>& cases) {
    // narrow matrices are folded, wide ones tiled, long ones sliced
    for (const RowsShape s : {RowsShape{1, 1},
                              {1, 7},
                              {7, 1},
                              {33, 2},
                              {5, 31},
                              {31, 33},
                              {3, 1000},
                              {13001, 1},
                              {3001, 13},
                              {600, 40},
                              {2, 33001}}) {
        const Shape shape{s.rows, s.cols};
        const auto by = [](const Tensor& x) { return RowsShape{x.dim(0), x.size() / x.dim(0)}; };
        cases.push_back({"sum_rows",
                         text(s),
                         {{shape}},
                         [s](const Tensors& x) { return Tensors{sum_rows(x[0], s)}; },
                         [s](const Lists& x) { return Lists{reference::sum_rows(x[0], s)}; },
                         1,
                         double(s.rows)});
        cases.push_back({"sum_cols",
                         text(s),
                         {{shape, symmetric, Use::batched}},
                         [by](const Tensors& x) { return Tensors{sum_cols(x[0], by(x[0]))}; },
                         [s](const Lists& x) { return Lists{reference::sum_cols(x[0], s)}; },
                         1,
                         double(s.cols)});
        cases.push_back({"expand_rows",
                         text(s),
                         {{{s.cols}}},
                         [s, shape](const Tensors& x) { return Tensors{expand_rows(x[0], s, shape)}; },
                         [s](const Lists& x) { return Lists{reference::expand_rows(x[0], s)}; },
                         0});
        cases.push_back({"expand_cols",
                         text(s),
                         {{{s.rows}, symmetric, Use::batched}},
                         [c = s.cols](const Tensors& x) {
                             return Tensors{expand_cols(x[0], {x[0].dim(0), c}, {x[0].dim(0), c})};
                         },
                         [s](const Lists& x) { return Lists{reference::expand_cols(x[0], s)}; },
                         0});
        cases.push_back({"row_norm",
                         text(s),
                         {{shape, off_zero, Use::batched}},
                         [by](const Tensors& x) { return Tensors{row_norm(x[0], by(x[0]))}; },
                         [s](const Lists& x) { return Lists{reference::row_norm(x[0], s)}; },
                         2,
                         double(s.cols)});
        cases.push_back({"sum_cols",
                         "mean of " + text(s),
                         {{shape}},
                         [](const Tensors& x) {
                             return Tensors{mean(x[0]), sum(x[0])};
                         },
                         [s](const Lists& x) {
                             const double total = reference::sum_cols(x[0], {1, s.size()})[0];
                             return Lists{{total / double(s.size())}, {total}};
                         },
                         4,
                         double(s.size())});
        cases.push_back({"expand_cols",
                         "scalar to " + text(s),
                         {{Shape{}}},
                         [shape](const Tensors& x) { return Tensors{expand(x[0], shape)}; },
                         [s](const Lists& x) { return Lists{Values(std::size_t(s.size()), x[0][0])}; },
                         0});
    }
}

void add_shapes(std::vector<OpCase>& cases) {
    for (const std::vector<int64_t>& rows : {std::vector<int64_t>{7}, {2, 3, 2}, {12, 1}, {0, 5}, {64, 64}}) {
        std::string label;
        int64_t all = 0;
        for (const int64_t r : rows) label += (all ? " and " : "") + std::to_string(r), all += r;
        cases.push_back({"split_rows",
                         label,
                         {{{all, 11}}},
                         [rows](const Tensors& x) { return split_rows(x[0], rows); },
                         [rows](const Lists& x) {
                             Lists parts;
                             auto from = x[0].begin();
                             for (const int64_t r : rows) parts.emplace_back(from, from + r * 11), from += r * 11;
                             return parts;
                         },
                         0});
    }
    const auto concatenated = [](const Lists& x) {
        Values y;
        for (const Values& part : x) y.insert(y.end(), part.begin(), part.end());
        return Lists{y};
    };
    const auto concat = [](const Tensors& x) { return Tensors{concat_rows(x)}; };
    cases.push_back({"concat_rows", "3, 1 and 7 of 5x2", {{{3, 5, 2}}, {{1, 5, 2}}, {{7, 5, 2}}}, concat, concatenated, 0});
    cases.push_back({"concat_rows", "one", {{{3, 5}}}, concat, concatenated, 0});

    for (const TransposeShape s :
         {TransposeShape{1, 1, 1}, {2, 3, 5}, {3, 1, 7}, {2, 31, 33}, {1, 67, 130}, {2, 784, 3}, {5, 4, 64}}) {
        const std::string label = std::to_string(s.batch) + "x" + std::to_string(s.rows) + "x" + std::to_string(s.cols);
        cases.push_back({"transpose",
                         label,
                         {{{s.batch, s.rows, s.cols}, symmetric, Use::batched}},
                         [s](const Tensors& x) {
                             return Tensors{transpose(x[0], {x[0].dim(0), s.rows, s.cols}, {x[0].dim(0), s.cols, s.rows})};
                         },
                         [s](const Lists& x) { return Lists{reference::transpose(x[0], s)}; },
                         0});
    }
    for (const UpsampleShape s :
         {UpsampleShape{1, 1, 1, 1, 1}, {2, 3, 5, 7, 2}, {3, 5, 2, 1, 3}, {2, 7, 7, 33, 2}, {3, 11, 13, 17, 2}}) {
        const std::string label = std::to_string(s.N) + "x" + std::to_string(s.H) + "x" + std::to_string(s.W) + "x" +
                                  std::to_string(s.C) + " by " + std::to_string(s.scale);
        cases.push_back({"upsample_nearest",
                         label,
                         {{{s.N, s.H, s.W, s.C}, symmetric, Use::batched}},
                         [k = s.scale](const Tensors& x) { return Tensors{upsample_nearest(x[0], k)}; },
                         [s](const Lists& x) { return Lists{reference::upsample(x[0], s)}; },
                         0});
        cases.push_back({"upsample_nearest_grad",
                         label,
                         {{{s.N, s.H * s.scale, s.W * s.scale, s.C}, symmetric, Use::batched}},
                         [k = s.scale](const Tensors& x) { return Tensors{upsample_nearest_grad(x[0], k)}; },
                         [s](const Lists& x) { return Lists{reference::upsample_grad(x[0], s)}; },
                         1,
                         double(s.scale * s.scale)});
    }
}

void add_dropout(std::vector<OpCase>& cases) {
    const RandomKey key{77, streams::dropout(Net::discriminator, gannet::Role::fake, 4), 1};
    for (const DropoutShape s : {DropoutShape{0, 1, 1, 1, false},
                                 {5, 3, 1, 13, false},
                                 {0, 7, 31, 5, false},
                                 {9, 7, 31, 5, true},
                                 {0, 11, 150, 33, true},
                                 {0, 11, 150, 33, false}})
        for (const real p : {real(0), real(0.25), real(0.5)}) {
            const std::string label = std::to_string(s.samples) + "x" + std::to_string(s.spatial) + "x" +
                                      std::to_string(s.channels) + " p " + std::to_string(p) +
                                      (s.channelwise ? " channelwise" : "");
            cases.push_back({"dropout",
                             label,
                             {{{s.samples, s.spatial, s.channels}}},
                             [=](const Tensors& x) {
                                 return Tensors{dropout(x[0], {test_counters(x[0].device()), key}, s, p)};
                             },
                             [=](const Lists& x) {
                                 Values y;
                                 const int64_t per_sample = s.spatial * s.channels;
                                 for (int64_t e = 0; e < s.size(); ++e) {
                                     const int64_t within = e % per_sample,
                                                   element = s.channelwise ? within % s.channels : within;
                                     const auto words = draw(key, 3, s.first_sample + e / per_sample, element / 4);
                                     const bool kept = unit_uniform(words.w[element % 4]) < 1 - p;
                                     y.push_back(kept ? x[0][std::size_t(e)] / (1 - double(p)) : 0);
                                 }
                                 return Lists{y};
                             },
                             2});
        }
}

}  // namespace

void add_pointwise_cases(std::vector<OpCase>& cases) {
    add_unary(cases);
    add_binary(cases);
    add_activations(cases);
    add_reductions(cases);
    add_shapes(cases);
    add_dropout(cases);
}

}  // namespace gannet::tests
