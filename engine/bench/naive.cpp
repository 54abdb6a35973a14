#include "engine/bench/naive.h"

#include <algorithm>
#include <cmath>

namespace gannet::bench::naive {
namespace {

// Calls f(x, w, y) with the indices of every multiplication of a convolution.
template <class F>
void for_products(const ConvShape& s, F f) {
    for (int64_t n = 0; n < s.N; ++n)
        for (int64_t p = 0; p < s.P; ++p)
            for (int64_t q = 0; q < s.Q; ++q)
                for (int64_t o = 0; o < s.OC; ++o)
                    for (int64_t r = 0; r < s.R; ++r)
                        for (int64_t t = 0; t < s.S; ++t) {
                            const int64_t h = p * s.stride - s.padding + r, w = q * s.stride - s.padding + t;
                            if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
                            for (int64_t c = 0; c < s.C; ++c)
                                f(((n * s.H + h) * s.W + w) * s.C + c, ((o * s.R + r) * s.S + t) * s.C + c,
                                  ((n * s.P + p) * s.Q + q) * s.OC + o);
                        }
}

}  // namespace

void matmul(real* c, const real* a, const real* b, const MatmulShape& s) {
    for (int64_t i = 0; i < s.M; ++i)
        for (int64_t j = 0; j < s.N; ++j) {
            real sum = 0;
            for (int64_t k = 0; k < s.K; ++k)
                sum += a[s.transpose_a ? k * s.M + i : i * s.K + k] * b[s.transpose_b ? j * s.K + k : k * s.N + j];
            c[i * s.N + j] = sum;
        }
}

void conv2d(real* y, const real* x, const real* w, const ConvShape& s) {
    std::fill_n(y, s.out_size(), real(0));
    for_products(s, [=](int64_t i, int64_t j, int64_t k) { y[k] += x[i] * w[j]; });
}

void conv2d_dgrad(real* dx, const real* dy, const real* w, const ConvShape& s) {
    std::fill_n(dx, s.in_size(), real(0));
    for_products(s, [=](int64_t i, int64_t j, int64_t k) { dx[i] += dy[k] * w[j]; });
}

void conv2d_wgrad(real* dw, const real* x, const real* dy, const ConvShape& s) {
    std::fill_n(dw, s.filter_size(), real(0));
    for_products(s, [=](int64_t i, int64_t j, int64_t k) { dw[j] += dy[k] * x[i]; });
}

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

}  // namespace gannet::bench::naive
