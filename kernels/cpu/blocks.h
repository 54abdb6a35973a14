// Splits the work of memory-bound kernels. The split depends only on the shape, and partial sums are added in order, so results
// have the same bits for any number of threads. Uses scratch slots 0 and 1 of the calling thread.
#pragma once
#include <algorithm>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/parallel.h"
#include "kernels/math.h"

namespace gannet::kernels::cpu::GANNET_ISA {

inline constexpr int64_t block_size = 16384;  // elements of one task

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Calls f(begin, end) for the blocks of [0, n); inline if there is only one.
template <class F>
void for_blocks(Stream stream, int64_t n, const F& f, int64_t block = block_size) {
    if (n <= 0) return;
    if (n <= block) return f(int64_t(0), n);
    parallel_for(stream, ceil_div(n, block), [&](int64_t i) { f(i * block, std::min(n, (i + 1) * block)); });
}

// Calls f(i) for every row, in tasks of whole rows.
template <class F>
void for_rows(Stream stream, const RowsShape& s, const F& f) {
    const auto run = [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) f(i);
    };
    for_blocks(stream, s.rows, run, std::max<int64_t>(1, block_size / std::max<int64_t>(s.cols, 1)));
}

// act'(.) dy of element e; without an activation y is not read and may be null.
template <class T, ActivationKind K>
T gradient_at(const T* y, const T* dy, int64_t e, StaticActivation<K> a) {
    if constexpr (K == ActivationKind::none) return dy[e];
    else if constexpr (needs_input(K)) return gradient_of_any(y[e], dy[e], a);
    else return activation_gradient(y[e], dy[e], a);
}

// y[e] = f(e) over n elements.
template <class T, class F>
void map(Stream stream, T* y, int64_t n, const F& f) {
    for_blocks(stream, n, [&](int64_t begin, int64_t end) {
        const F local = f;  // a local copy, so that stores to y cannot alias it
        T* out = y;
#pragma omp simd
        for (int64_t e = begin; e < end; ++e) out[e] = local(e);
    });
}

// Calls f(e, j, length) for the blocks of n elements, split at the ends of rows of `cols`: e is the first element, j its column.
template <class F>
void for_segments(Stream stream, int64_t n, int64_t cols, const F& f) {
    for_blocks(stream, n, [&](int64_t begin, int64_t end) {
        for (int64_t e = begin, j = begin % cols; e < end; j = 0) {
            const int64_t length = std::min(cols - j, end - e);
            f(e, j, length);
            e += length;
        }
    });
}

// The sum of f(e) over [begin, end), in lanes that are added pairwise at the end; the order depends only on the length.
template <class F>
auto sum_range(int64_t begin, int64_t end, const F& f) {
    using A = decltype(f(int64_t(0)));
    constexpr int width = 4 * vector_bytes / int(sizeof(A));
    alignas(64) A acc[width] = {};
    int64_t e = begin;
    for (; e + width <= end; e += width) {
#pragma omp simd
        for (int k = 0; k < width; ++k) acc[k] += f(e + k);
    }
    for (int k = 0; k < int(end - e); ++k) acc[k] += f(e + k);
    for (int half = width / 2; half > 0; half /= 2)
        for (int k = 0; k < half; ++k) acc[k] += acc[k + half];
    return acc[0];
}

// The same sum in pieces of 4096, so that the error does not grow with the length.
template <class F>
auto sum_long(int64_t begin, int64_t end, const F& f) {
    decltype(f(int64_t(0))) total = 0;
    for (int64_t e = begin; e < end; e += 4096) total += sum_range(e, std::min(end, e + 4096), f);
    return total;
}

// Calls done(i, sum_j f(i * cols + j)) for every row. The split of long rows depends only on cols. Uses scratch slot 0.
template <class F, class Done>
void for_row_sums(Stream stream, const RowsShape& s, const F& f, const Done& done) {
    using A = decltype(f(int64_t(0)));
    const int64_t cols = s.cols, pieces = ceil_div(cols, block_size);
    if (pieces <= 1) return for_rows(stream, s, [&](int64_t i) { done(i, sum_long(i * cols, (i + 1) * cols, f)); });
    A* partial = static_cast<A*>(scratch(0, s.rows * pieces * int64_t(sizeof(A))));
    parallel_for(stream, s.rows * pieces, [&](int64_t t) {
        const int64_t i = t / pieces, begin = t % pieces * block_size;
        partial[t] = sum_long(i * cols + begin, i * cols + std::min(cols, begin + block_size), f);
    });
    for (int64_t i = 0; i < s.rows; ++i) {
        A total = 0;
        for (int64_t p = 0; p < pieces; ++p) total += partial[i * pieces + p];
        done(i, total);
    }
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
