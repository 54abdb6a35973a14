// Sums and their adjoints. Bound by memory: each input is read once, 4 bytes and one or two flops per element.
// Column sums use kernels/cpu/columns.h, row sums for_row_sums.
#include "kernels/cpu/isa.h"

#include "kernels/cpu/columns.h"

namespace gannet::kernels::cpu::GANNET_ISA {

template <class T>
void sum_rows(T* y, const T* x, const RowsShape& s, Stream stream) {
    column_sums(stream, y, cut_columns(s), [=](int64_t e, int64_t, int64_t) { return OneTerm{x[e]}; });
}

template <class T>
void sum_cols(T* y, const T* x, const RowsShape& s, Stream stream) {
    for_row_sums(
        stream, s, [=](int64_t e) { return x[e]; }, [=](int64_t i, T total) { y[i] = total; });
}

template <class T>
void expand_rows(T* y, const T* v, const RowsShape& s, Stream stream) {
    const int64_t width = s.cols * cut_columns(s).fold;
    T folded[max_tile];
    const T* row = v;
    if (width > s.cols) {
        std::copy_n(v, s.cols, folded);
        repeat(folded, s.cols, width);
        row = folded;
    }
    for_segments(stream, s.size(), width, [=](int64_t e, int64_t j, int64_t length) {
#pragma omp simd
        for (int64_t k = 0; k < length; ++k) y[e + k] = row[j + k];
    });
}

template <class T>
void expand_cols(T* y, const T* v, const RowsShape& s, Stream stream) {
    const int64_t cols = s.cols;
    for_segments(stream, s.size(), cols, [=](int64_t e, int64_t, int64_t length) { std::fill_n(y + e, length, v[e / cols]); });
}

template <class T>
void bias_activation_grad(T* dx, T* db, const T* y, const T* dy, const RowsShape& s, Activation act, Stream stream) {
    with_any_activation(act, [&](auto a) {
        column_sums(stream, db, cut_columns(s), [=](int64_t e, int64_t, int64_t) {
            const T d = gradient_at(y, dy, e, a);
            dx[e] = d;
            return OneTerm{d};
        });
    });
}

template <class T>
void row_norm(T* y, const T* x, const RowsShape& s, Stream stream) {
    for_row_sums(
        stream, s, [=](int64_t e) { return x[e] * x[e]; },
        [=](int64_t i, T total) { y[i] = math::sqrt(total + T(norm_epsilon)); });
}

template <class T>
void gradient_penalty(T* out, T* norms, const T* x, T target, T weight, const RowsShape& s, Stream stream) {
    row_norm(norms, x, s, stream);
    const T total = sum_long(0, s.rows, [=](int64_t i) { return (norms[i] - target) * (norms[i] - target); });
    out[0] = s.rows > 0 ? weight * (total / T(s.rows)) : T(0);
}

template <class T>
void gradient_penalty_grad(T* dx, const T* x, const T* norms, const T* dout, T target, T weight, const RowsShape& s,
                           Stream stream) {
    const int64_t rows = s.rows, cols = s.cols;
    for_segments(stream, s.size(), cols, [=](int64_t first, int64_t, int64_t length) {
        const T norm = norms[first / cols], scale = dout[0] * weight * (T(2) / T(rows)) * (norm - target) / norm;
#pragma omp simd
        for (int64_t e = first; e < first + length; ++e) dx[e] = scale * x[e];
    });
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/reduce.inl"
#include "kernels/cpu/instantiate.inl"
