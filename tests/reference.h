// Naive references in double. Each implements a definition with one loop per sum and shares no formula with the kernels.
// Sums are in long double, so a test measures the rounding error of the kernel, not of the reference.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/shapes.h"

namespace gannet::reference {

using Values = std::vector<double>;
using Sums = std::vector<long double>;

inline Values rounded(const Sums& sums) { return Values(sums.begin(), sums.end()); }

// ---- pointwise -------------------------------------------------------------------------------------------------------

inline double activate(double x, Activation a) {
    switch (a.kind) {
        case ActivationKind::none: return x;
        case ActivationKind::relu: return std::max(x, 0.0);
        case ActivationKind::leaky_relu: return x > 0 ? x : double(a.slope) * x;
        case ActivationKind::tanh: return std::tanh(x);
        case ActivationKind::sigmoid: return 1 / (1 + std::exp(-x));
        case ActivationKind::gelu: return double(x * std::erfc(-x / std::sqrt(2.0L)) / 2);
        case ActivationKind::silu: return x / (1 + std::exp(-x));
    }
    return NAN;
}

// act'(x) by its definition in x, where x is `kept` if the activation's row says `needs_input`, else act^-1(kept).
inline double slope_at(double kept, Activation a) {
    const double x = kept, y = kept;
    switch (a.kind) {
        case ActivationKind::none: return 1;
        case ActivationKind::relu: return y > 0 ? 1 : 0;
        case ActivationKind::leaky_relu: return y > 0 ? 1 : double(a.slope);
        case ActivationKind::tanh: return std::pow(std::cosh(std::atanh(y)), -2);
        case ActivationKind::sigmoid: {
            const double e = std::exp(-std::log(y / (1 - y)));
            return e / ((1 + e) * (1 + e));
        }
        case ActivationKind::gelu:
            return double(std::erfc(-x / std::sqrt(2.0L)) / 2 + x * std::exp(-0.5L * x * x) / std::sqrt(2 * std::acos(-1.0L)));
        case ActivationKind::silu: {
            const long double e = std::exp(-(long double)(x));
            return double((1 + e + x * e) / ((1 + e) * (1 + e)));
        }
    }
    return NAN;
}

template <class F>
Values map(const Values& x, F f) {
    Values y;
    for (double v : x) y.push_back(f(v));
    return y;
}
template <class F>
Values map(const Values& a, const Values& b, F f) {
    Values y;
    for (std::size_t i = 0; i < a.size(); ++i) y.push_back(f(a[i], b[i]));
    return y;
}
inline Values activate(const Values& x, Activation a) {
    return map(x, [a](double v) { return activate(v, a); });
}

// ---- sums ------------------------------------------------------------------------------------------------------------

inline Values sum_rows(const Values& x, const RowsShape& s) {
    Sums y(std::size_t(s.cols), 0);
    for (int64_t e = 0; e < s.size(); ++e) y[std::size_t(e % s.cols)] += x[std::size_t(e)];
    return rounded(y);
}
inline Values sum_cols(const Values& x, const RowsShape& s) {
    Sums y(std::size_t(s.rows), 0);
    for (int64_t e = 0; e < s.size(); ++e) y[std::size_t(e / s.cols)] += x[std::size_t(e)];
    return rounded(y);
}
inline Values expand_rows(const Values& v, const RowsShape& s) {
    Values y;
    for (int64_t e = 0; e < s.size(); ++e) y.push_back(v[std::size_t(e % s.cols)]);
    return y;
}
inline Values expand_cols(const Values& v, const RowsShape& s) {
    Values y;
    for (int64_t e = 0; e < s.size(); ++e) y.push_back(v[std::size_t(e / s.cols)]);
    return y;
}
inline Values row_norm(const Values& x, const RowsShape& s) {
    const Values squares = sum_cols(map(x, [](double v) { return v * v; }), s);
    return map(squares, [](double v) { return std::sqrt(v + norm_epsilon); });
}
// {mean cross-entropy} and the rows' log-sum-exp
inline std::vector<Values> cross_entropy(const Values& x, const Values& labels, const RowsShape& s) {
    double total = 0;
    Values log_sums;
    for (int64_t i = 0; i < s.rows; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < s.cols; ++j) sum += std::exp(x[std::size_t(i * s.cols + j)]);
        log_sums.push_back(std::log(sum));
        total += log_sums.back() - x[std::size_t(i * s.cols) + std::size_t(labels[std::size_t(i)])];
    }
    return {{total / double(s.rows)}, log_sums};
}
inline Values cross_entropy_grad(const Values& x, const Values& labels, const RowsShape& s, double dout) {
    const Values log_sums = cross_entropy(x, labels, s)[1];
    Values dx;
    for (int64_t i = 0; i < s.rows; ++i)
        for (int64_t j = 0; j < s.cols; ++j)
            dx.push_back(dout / double(s.rows) *
                         (std::exp(x[std::size_t(i * s.cols + j)] - log_sums[std::size_t(i)]) -
                          (j == int64_t(labels[std::size_t(i)]) ? 1 : 0)));
    return dx;
}
inline double gradient_penalty(const Values& x, const RowsShape& s, double target, double weight) {
    long double total = 0;
    for (double norm : row_norm(x, s)) total += (norm - target) * (norm - target);
    return weight * double(total / s.rows);
}
inline Values gradient_penalty_grad(const Values& x, const RowsShape& s, double target, double weight, double dout) {
    const Values norms = row_norm(x, s);
    Values dx;
    for (int64_t e = 0; e < s.size(); ++e) {
        const double norm = norms[std::size_t(e / s.cols)];
        dx.push_back(dout * weight * 2 * (norm - target) / double(s.rows) * (x[std::size_t(e)] / norm));
    }
    return dx;
}

// ---- matrix products and convolutions --------------------------------------------------------------------------------

inline Values matmul(const Values& a, const Values& b, const MatmulShape& s) {
    Values c;
    for (int64_t m = 0; m < s.M; ++m)
        for (int64_t n = 0; n < s.N; ++n) {
            long double total = 0;
            for (int64_t k = 0; k < s.K; ++k)
                total += a[std::size_t(s.transpose_a ? k * s.M + m : m * s.K + k)] *
                         static_cast<long double>(b[std::size_t(s.transpose_b ? n * s.K + k : k * s.N + n)]);
            c.push_back(double(total));
        }
    return c;
}

// Calls f(index in x, index in w, index in y) for every multiplication of a convolution. The three kernels differ only in the
// array that they sum into.
template <class F>
void for_taps(const ConvShape& s, F f) {
    for (int64_t n = 0; n < s.N; ++n)
        for (int64_t p = 0; p < s.P; ++p)
            for (int64_t q = 0; q < s.Q; ++q)
                for (int64_t r = 0; r < s.R; ++r)
                    for (int64_t t = 0; t < s.S; ++t) {
                        const int64_t h = p * s.stride - s.padding + r, w = q * s.stride - s.padding + t;
                        if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
                        for (int64_t o = 0; o < s.OC; ++o)
                            for (int64_t c = 0; c < s.C; ++c)
                                f(std::size_t(((n * s.H + h) * s.W + w) * s.C + c),
                                  std::size_t(((o * s.R + r) * s.S + t) * s.C + c),
                                  std::size_t(((n * s.P + p) * s.Q + q) * s.OC + o));
                    }
}
inline Values conv2d(const Values& x, const Values& w, const ConvShape& s) {
    Sums y(std::size_t(s.out_size()), 0);
    for_taps(s, [&](std::size_t i, std::size_t j, std::size_t k) { y[k] += x[i] * w[j]; });
    return rounded(y);
}
inline Values conv2d_dgrad(const Values& dy, const Values& w, const ConvShape& s) {
    Sums dx(std::size_t(s.in_size()), 0);
    for_taps(s, [&](std::size_t i, std::size_t j, std::size_t k) { dx[i] += dy[k] * w[j]; });
    return rounded(dx);
}
inline Values conv2d_wgrad(const Values& x, const Values& dy, const ConvShape& s) {
    Sums dw(std::size_t(s.filter_size()), 0);
    for_taps(s, [&](std::size_t i, std::size_t j, std::size_t k) { dw[j] += x[i] * dy[k]; });
    return rounded(dw);
}

// act(y + bias), with a bias per channel (may be empty)
inline Values finish(const Values& y, const Values& bias, Activation act) {
    Values out;
    for (std::size_t e = 0; e < y.size(); ++e) out.push_back(activate(bias.empty() ? y[e] : y[e] + bias[e % bias.size()], act));
    return out;
}

// ---- normalisation ---------------------------------------------------------------------------------------------------

struct Moments {
    double mean, variance;  // biased
};
inline Moments moments(const Values& x) {
    long double mean = 0, variance = 0;
    for (double v : x) mean += v;
    mean /= static_cast<long double>(x.size());
    for (double v : x) variance += (v - mean) * (v - mean);
    return {double(mean), double(variance / static_cast<long double>(x.size()))};
}
// sum_k g_k d xhat_k / d x_i with xhat = (x - mean) / sqrt(variance + eps): the Jacobian is
// (delta_ik - 1/n) / deviation - (x_k - mean) (x_i - mean) / (n deviation^3)
inline Values standardise_grad(const Values& x, const Values& g, double eps) {
    const Moments m = moments(x);
    const long double n = static_cast<long double>(x.size()), deviation = std::sqrt(m.variance + eps);
    long double sum_g = 0, sum_gx = 0;
    for (std::size_t k = 0; k < x.size(); ++k) sum_g += g[k], sum_gx += g[k] * (x[k] - m.mean);
    Values dx;
    for (std::size_t i = 0; i < x.size(); ++i)
        dx.push_back(double((g[i] - sum_g / n) / deviation - (x[i] - m.mean) * sum_gx / (n * deviation * deviation * deviation)));
    return dx;
}

// The columns (or the rows) of a matrix as vectors, and back.
inline std::vector<Values> split(const Values& x, const RowsShape& s, bool by_column) {
    std::vector<Values> parts(std::size_t(by_column ? s.cols : s.rows));
    for (int64_t e = 0; e < s.size(); ++e) parts[std::size_t(by_column ? e % s.cols : e / s.cols)].push_back(x[std::size_t(e)]);
    return parts;
}
inline Values join(const std::vector<Values>& parts, const RowsShape& s, bool by_column) {
    Values x;
    for (int64_t i = 0; i < s.rows; ++i)
        for (int64_t j = 0; j < s.cols; ++j)
            x.push_back(by_column ? parts[std::size_t(j)][std::size_t(i)] : parts[std::size_t(i)][std::size_t(j)]);
    return x;
}

// (means, variances) of the columns or rows
inline Values moments(const Values& x, const RowsShape& s, bool by_column) {
    Values means, variances;
    for (const Values& part : split(x, s, by_column)) {
        const Moments m = moments(part);
        means.push_back(m.mean), variances.push_back(m.variance);
    }
    means.insert(means.end(), variances.begin(), variances.end());
    return means;
}

// act(gamma xhat + beta) with the given statistics; gamma and beta may be empty.
inline Values normalise(const Values& x, const Values& mean_var, const Values& gamma, const Values& beta, const RowsShape& s,
                        double eps, Activation act, bool by_column) {
    Values y;
    const int64_t groups = by_column ? s.cols : s.rows;
    for (int64_t e = 0; e < s.size(); ++e) {
        const std::size_t group = std::size_t(by_column ? e % s.cols : e / s.cols), j = std::size_t(e % s.cols);
        const double xhat = (x[std::size_t(e)] - mean_var[group]) / std::sqrt(mean_var[std::size_t(groups) + group] + eps);
        y.push_back(activate((gamma.empty() ? xhat : gamma[j] * xhat) + (beta.empty() ? 0 : beta[j]), act));
    }
    return y;
}

// {dx, dgamma, dbeta} of a normalisation with output y that computes its own statistics.
inline std::vector<Values> normalise_grad(const Values& x, const Values& y, const Values& dy, const Values& gamma,
                                          const RowsShape& s, double eps, Activation act, bool by_column) {
    const Values dz = map(y, dy, [act](double kept, double d) { return slope_at(kept, act) * d; });
    const Values xhat = normalise(x, moments(x, s, by_column), {}, {}, s, eps, {}, by_column);
    Values g = dz;
    if (!gamma.empty())
        for (std::size_t e = 0; e < g.size(); ++e) g[e] *= gamma[e % gamma.size()];
    const std::vector<Values> parts = split(x, s, by_column), g_parts = split(g, s, by_column);
    std::vector<Values> dx;
    for (std::size_t i = 0; i < parts.size(); ++i) dx.push_back(standardise_grad(parts[i], g_parts[i], eps));
    return {join(dx, s, by_column), sum_rows(map(dz, xhat, [](double a, double b) { return a * b; }), s), sum_rows(dz, s)};
}

// ---- losses ----------------------------------------------------------------------------------------------------------

inline double loss_value(double x, const LossForm& form) {
    const double t = form.target, eps = form.epsilon;
    switch (form.kind) {
        case LossKind::bce: {
            const double p = eps > 0 ? std::clamp(x, eps, 1 - eps) : x;
            return -t * std::max(std::log(p), -100.0) - (1 - t) * std::max(std::log(1 - p), -100.0);
        }
        case LossKind::bce_with_logits: return -t * std::log(1 / (1 + std::exp(-x))) - (1 - t) * std::log(1 / (1 + std::exp(x)));
        case LossKind::least_squares: return (x - t) * (x - t);
        case LossKind::hinge: return std::max(0.0, 1 - t * x);
        case LossKind::linear: return t * x;
    }
    return NAN;
}
// Derivative of the weighted loss.
inline double loss_slope(double x, const LossForm& form) {
    const double t = form.target, eps = form.epsilon, w = form.weight;
    switch (form.kind) {
        case LossKind::bce: return eps > 0 && (x < eps || x > 1 - eps) ? 0 : w * (-t / x + (1 - t) / (1 - x));
        case LossKind::bce_with_logits: return w * (1 / (1 + std::exp(-x)) - t);
        case LossKind::least_squares: return w * 2 * (x - t);
        case LossKind::hinge: return t * x < 1 ? -w * t : 0;
        case LossKind::linear: return w * t;
    }
    return NAN;
}
inline double loss(const Values& x, const LossForm& form) {
    long double total = 0;
    for (double v : x) total += loss_value(v, form);
    return double(form.weight * (total / static_cast<long double>(x.size())));
}

// ---- images ----------------------------------------------------------------------------------------------------------

inline Values transpose(const Values& x, const TransposeShape& s) {
    Values y(x.size());
    for (int64_t b = 0; b < s.batch; ++b)
        for (int64_t i = 0; i < s.rows; ++i)
            for (int64_t j = 0; j < s.cols; ++j)
                y[std::size_t((b * s.cols + j) * s.rows + i)] = x[std::size_t((b * s.rows + i) * s.cols + j)];
    return y;
}
// Calls f(index in x, index in y) for every pixel of y = upsample(x).
template <class F>
void for_upsampled(const UpsampleShape& s, F f) {
    for (int64_t n = 0; n < s.N; ++n)
        for (int64_t h = 0; h < s.H * s.scale; ++h)
            for (int64_t w = 0; w < s.W * s.scale; ++w)
                for (int64_t c = 0; c < s.C; ++c)
                    f(std::size_t(((n * s.H + h / s.scale) * s.W + w / s.scale) * s.C + c),
                      std::size_t(((n * s.H * s.scale + h) * s.W * s.scale + w) * s.C + c));
}
inline Values upsample(const Values& x, const UpsampleShape& s) {
    Values y(std::size_t(s.out_size()));
    for_upsampled(s, [&](std::size_t i, std::size_t k) { y[k] = x[i]; });
    return y;
}
inline Values upsample_grad(const Values& dy, const UpsampleShape& s) {
    Sums dx(std::size_t(s.in_size()), 0);
    for_upsampled(s, [&](std::size_t i, std::size_t k) { dx[i] += dy[k]; });
    return rounded(dx);
}

}  // namespace gannet::reference
