// Batch and layer normalisation. Bound by memory: 4 bytes per element and array, 3 to 8 flops. Batch norm reads x once for the
// moments and once to normalise; its gradient reads x, y and dy twice (sums, then dx). Layer norm keeps a row in cache between
// its passes, so it reads x once.
#include "kernels/cpu/isa.h"

#include "kernels/cpu/columns.h"

namespace gannet::kernels::cpu::GANNET_ISA {
namespace {

// Combines the means and sums of squared deviations of two sets of rows by the rule of Chan, Golub and LeVeque (1979). In double,
// because the difference of two large means loses digits.
void join(double* mean, double* m2, int64_t count, const double* other_mean, const double* other_m2, int64_t other_count,
          int64_t width) {
    const double both = double(count + other_count), weight = double(other_count) / both, product = double(count) * weight;
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) {
        const double delta = other_mean[j] - mean[j];
        mean[j] += delta * weight;
        m2[j] += other_m2[j] + delta * delta * product;
    }
}

// Mean and sum of squared deviations of one piece, in two passes; the second reads from cache. It also sums the deviations, whose
// sum is not exactly zero because of rounding, and corrects both results.
template <class T>
void piece_moments(double* mean, double* m2, const T* x, const ColumnCut& c, const Piece& p) {
    alignas(64) real about[max_tile], sums[2 * max_tile];
    sum_piece(about, c, p, [=](int64_t e, int64_t, int64_t) { return OneTerm{x[e]}; });
    for (int64_t j = 0; j < p.width; ++j) about[j] /= real(p.count);
    repeat(about, p.width, p.width * c.fold);
    const real* centre = about;
    const int64_t column = p.column;
    sum_piece(sums, c, p, [=](int64_t e, int64_t w, int64_t) {
        const real d = x[e] - centre[w - column];
        return TwoTerms{d, d * d};
    });
    for (int64_t j = 0; j < p.width; ++j) {
        const double sum = sums[j], shift = sum / double(p.count);
        mean[j] = about[j] + shift;
        m2[j] = std::max(sums[max_tile + j] - sum * shift, 0.0);
    }
}

}  // namespace

template <class T>
void moments(real* mean_var, const T* x, const RowsShape& s, Stream stream) {
    const int64_t cols = s.cols;
    std::fill_n(mean_var, 2 * cols, real(0));
    if (s.size() <= 0) return;
    const ColumnCut c = cut_columns(s);
    double* partial = static_cast<double*>(scratch(0, c.slices * 2 * cols * int64_t(sizeof(double))));  // (slices, 2, cols)
    const auto run = [&](int64_t task) {
        alignas(64) double mean[max_tile], m2[max_tile];
        double* to = partial + task % c.slices * 2 * cols;
        int64_t count = 0;
        for_pieces(c, task, [&](const Piece& p) {
            double *to_mean = to + p.column, *to_m2 = to_mean + cols;
            if (count == 0) {
                piece_moments(to_mean, to_m2, x, c, p);
            } else {
                piece_moments(mean, m2, x, c, p);
                join(to_mean, to_m2, count, mean, m2, p.count, p.width);
            }
            count += p.count;
        });
    };
    if (c.tasks() == 1) run(0);
    else parallel_for(stream, c.tasks(), [&](int64_t task) { run(task); });
    for (int64_t i = 1; i < c.slices; ++i) {
        const int64_t before = i * c.slice_rows, count = std::min(c.slice_rows, s.rows - before);
        const double* other = partial + i * 2 * cols;
        join(partial, partial + cols, before, other, other + cols, count, cols);
    }
    for (int64_t j = 0; j < cols; ++j) {
        mean_var[j] = real(partial[j]);
        mean_var[cols + j] = real(partial[cols + j] / double(s.rows));
    }
}

template <class T>
void batch_norm(T* y, const T* x, const real* mean_var, const T* gamma, const T* beta, const RowsShape& s, real eps,
                Activation act, Stream stream) {
    const int64_t cols = s.cols, width = cols * cut_columns(s).fold;
    if (s.size() <= 0) return;
    real *mean = static_cast<real*>(scratch(0, 3 * width * int64_t(sizeof(real)))), *scale = mean + width, *shift = scale + width;
    for (int64_t j = 0; j < cols; ++j) {
        mean[j] = mean_var[j];
        scale[j] = (gamma ? real(gamma[j]) : real(1)) / math::sqrt(mean_var[cols + j] + eps);
        shift[j] = beta ? real(beta[j]) : real(0);
    }
    for (real* values : {mean, scale, shift}) repeat(values, cols, width);
    with_activation(act, [=](auto a) {
        for_segments(stream, s.size(), width, [=](int64_t e, int64_t w, int64_t length) {
#pragma omp simd
            for (int64_t k = 0; k < length; ++k) y[e + k] = activate((x[e + k] - mean[w + k]) * scale[w + k] + shift[w + k], a);
        });
    });
}

template <class T>
void batch_norm_grad(T* dx, T* dgamma, T* dbeta, const T* x, const T* y, const T* dy, const real* mean_var, const T* gamma,
                     const RowsShape& s, real eps, Activation act, Stream stream) {
    const ColumnCut c = cut_columns(s);
    const int64_t cols = s.cols, width = cols * c.fold;
    if (cols <= 0) return;
    // slot 1: column_sums uses slot 0
    real* mean = static_cast<real*>(scratch(1, (4 * width + 2 * cols) * int64_t(sizeof(real))));
    real *a = mean + width, *b = a + width, *d = b + width, *sums = d + width;
    std::copy_n(mean_var, cols, mean);
    repeat(mean, cols, width);
    with_activation(act, [=](auto f) {
        column_sums(stream, sums, c, [=](int64_t e, int64_t w, int64_t) {
            const real dz = gradient_at(y, dy, e, f);
            return TwoTerms{dz, dz * (x[e] - mean[w])};
        });
        for (int64_t j = 0; j < cols; ++j) {
            const real rstd = 1 / math::sqrt(mean_var[cols + j] + eps), sum_dz = sums[j], sum_dz_xhat = sums[cols + j] * rstd;
            if (dbeta) dbeta[j] = sum_dz;
            if (dgamma) dgamma[j] = sum_dz_xhat;
            // dx = gamma rstd (dz - mean(dz) - xhat mean(dz xhat)) = a dz - (b + d (x - mean))
            a[j] = (gamma ? real(gamma[j]) : real(1)) * rstd;
            b[j] = a[j] * sum_dz / real(s.rows);
            d[j] = a[j] * rstd * sum_dz_xhat / real(s.rows);
        }
        for (real* values : {a, b, d}) repeat(values, cols, width);
        for_segments(stream, s.size(), width, [=](int64_t e0, int64_t w, int64_t length) {
#pragma omp simd
            for (int64_t k = 0; k < length; ++k) {
                const int64_t e = e0 + k;
                dx[e] = a[w + k] * gradient_at(y, dy, e, f) - (b[w + k] + d[w + k] * (x[e] - mean[w + k]));
            }
        });
    });
}

void running_stats_update(const RunningStats* stats, int64_t count, Stream) {
    for (const RunningStats* r = stats; r < stats + count; ++r) {
        const int64_t cols = r->shape.cols;
        const real unbiased = r->unbiased();
        for (int64_t j = 0; j < cols; ++j) {
            r->running[j] = (1 - r->momentum) * r->running[j] + r->momentum * r->mean_var[j];
            r->running[cols + j] = (1 - r->momentum) * r->running[cols + j] + r->momentum * (unbiased * r->mean_var[cols + j]);
        }
    }
}

template <class T>
void layer_norm(T* y, real* mean_rstd, const T* x, const T* gamma, const T* beta, const RowsShape& s, real eps, Activation act,
                Stream stream) {
    const int64_t rows = s.rows, cols = s.cols;
    const auto normalise = [=](auto a, auto affine) {
        for_rows(stream, s, [=](int64_t i) {
            const T* row = x + i * cols;
            T* out = y + i * cols;
            const real count = real(std::max<int64_t>(cols, 1));
            const real mean = sum_long(0, cols, [=](int64_t j) { return real(row[j]); }) / count;
            const real var = sum_long(0, cols, [=](int64_t j) { return (row[j] - mean) * (row[j] - mean); }) / count;
            const real rstd = 1 / math::sqrt(var + eps);
            mean_rstd[i] = mean;
            mean_rstd[rows + i] = rstd;
#pragma omp simd
            for (int64_t j = 0; j < cols; ++j) out[j] = activate(affine((row[j] - mean) * rstd, j), a);
        });
    };
    with_activation(act, [=](auto a) {
        if (gamma && beta) normalise(a, [=](real xhat, int64_t j) { return xhat * gamma[j] + beta[j]; });
        else if (gamma) normalise(a, [=](real xhat, int64_t j) { return xhat * gamma[j]; });
        else if (beta) normalise(a, [=](real xhat, int64_t j) { return xhat + beta[j]; });
        else normalise(a, [=](real xhat, int64_t) { return xhat; });
    });
}

template <class T>
void layer_norm_grad(T* dx, T* dgamma, T* dbeta, const T* x, const T* y, const T* dy, const real* mean_rstd, const T* gamma,
                     const RowsShape& s, Activation act, Stream stream) {
    const int64_t rows = s.rows, cols = s.cols;
    if (cols <= 0) return;
    const real *means = mean_rstd, *rstds = mean_rstd + rows;
    const auto rows_grad = [=](auto a, auto scaled) {
        for_rows(stream, s, [=](int64_t i) {
            const int64_t begin = i * cols, end = begin + cols;
            const real mean = means[i], rstd = rstds[i];
            const auto g = [=](int64_t e) { return scaled(gradient_at(y, dy, e, a), e - begin); };
            const real mean_g = sum_long(begin, end, g) / real(cols);
            const real mean_gx = sum_long(begin, end, [=](int64_t e) { return g(e) * ((x[e] - mean) * rstd); }) / real(cols);
#pragma omp simd
            for (int64_t e = begin; e < end; ++e) dx[e] = rstd * ((g(e) - mean_g) - (x[e] - mean) * rstd * mean_gx);
        });
    };
    with_activation(act, [=](auto a) {
        if (gamma) rows_grad(a, [=](real dz, int64_t j) { return dz * gamma[j]; });
        else rows_grad(a, [=](real dz, int64_t) { return dz; });
        if (!dgamma && !dbeta) return;
        real* sums = static_cast<real*>(scratch(1, 2 * cols * int64_t(sizeof(real))));
        column_sums(stream, sums, cut_columns(s, false), [=](int64_t e, int64_t, int64_t i) {
            const real dz = gradient_at(y, dy, e, a);
            return TwoTerms{dz, dz * ((x[e] - means[i]) * rstds[i])};
        });
        if (dbeta) std::copy_n(sums, cols, dbeta);
        if (dgamma) std::copy_n(sums + cols, cols, dgamma);
    });
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/norm.inl"
#include "kernels/cpu/instantiate.inl"
