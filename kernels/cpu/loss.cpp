// Losses over the scores of a batch, and the norm of a gradient. Scores are few; the norm reads 4 bytes per parameter.
#include "kernels/cpu/isa.h"

#include "kernels/cpu/blocks.h"

namespace gannet::kernels::cpu::GANNET_ISA {

template <class T>
void loss(T* out, const T* x, const T* plus, const LossForm& form, int64_t n, Stream stream) {
    const T before = plus ? plus[0] : T(0);
    with_loss(form, [=](auto f) {
        for_row_sums(
            stream, RowsShape{1, n}, [=](int64_t e) { return loss_value(x[e], f); },
            [=](int64_t, T total) { out[0] = before + (n > 0 ? f.weight * (total / T(n)) : T(0)); });
    });
}

template <class T>
void loss_grad(T* dx, const T* x, const T* dout, const LossForm& form, int64_t n, Stream stream) {
    if (n <= 0) return;
    const T scale = dout[0] * form.weight / T(n);
    with_loss(form, [=](auto f) { map(stream, dx, n, [=](int64_t e) { return scale * loss_derivative(x[e], f); }); });
}

template <class T>
void cross_entropy(T* out, T* log_sums, const T* x, const T* labels, const RowsShape& s, Stream stream) {
    const int64_t cols = s.cols;
    for_rows(stream, s, [=](int64_t i) {
        const T* const row = x + i * cols;
        T most = row[0];
        for (int64_t j = 1; j < cols; ++j) most = std::max(most, row[j]);
        log_sums[i] = most + math::log(sum_long(0, cols, [=](int64_t j) { return math::exp(row[j] - most); }));
    });
    const T total = sum_long(0, s.rows, [=](int64_t i) { return log_sums[i] - x[i * cols + int64_t(labels[i])]; });
    out[0] = s.rows > 0 ? total / T(s.rows) : T(0);
}

template <class T>
void cross_entropy_grad(T* dx, const T* x, const T* labels, const T* log_sums, const T* dout, const RowsShape& s, Stream stream) {
    const int64_t cols = s.cols;
    const T scale = s.rows > 0 ? dout[0] / T(s.rows) : T(0);
    for_segments(stream, s.size(), cols, [=](int64_t first, int64_t column, int64_t length) {
        const int64_t row = first / cols;
        const T log_sum = log_sums[row];
#pragma omp simd
        for (int64_t e = first; e < first + length; ++e) dx[e] = scale * math::exp(x[e] - log_sum);
        const int64_t label = int64_t(labels[row]) - column;
        if (label >= 0 && label < length) dx[first + label] -= scale;
    });
}

// Computed in double, because squares of large gradients overflow float.
template <class T>
void norm2(T* out, const T* x, int64_t n, Stream stream) {
    for_row_sums(
        stream, RowsShape{1, n}, [=](int64_t e) { return double(x[e]) * double(x[e]); },
        [=](int64_t, double total) { out[0] = T(std::sqrt(total)); });
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/loss.inl"
#include "kernels/cpu/instantiate.inl"
