// Matrix products with few columns, computed as dot products: a panel of the tiled GEMM (gemm.h) would be mostly zeros. Operands
// are read in place, vectors along k. Bound by loads, about one per vector FMA.
#pragma once
#include "kernels/cpu/simd.h"

namespace gannet::kernels::cpu::GANNET_ISA {

inline constexpr int few_cols = 4;

// Rows per step. They share the loads of the columns, and at least 8 independent chains of additions hide latency.
constexpr int dot_rows(int cols) { return cols == 1 ? 8 : cols == 2 || vector_bytes == 64 ? 4 : 2; }

// `length` terms, from a[row] + row_offset and from column 0 + column_offset.
struct DotRun {
    int64_t row_offset, column_offset, length;
};

template <int rows, int cols>
void dots(real* const* c, const real* const* a, const real* b, int64_t b_pitch, const DotRun* runs, int run_count) {
    vec acc[rows][cols] = {};
    for (const DotRun* run = runs; run != runs + run_count; ++run) {
        const real *row[rows], *column = b + run->column_offset;
#pragma GCC unroll 8
        for (int i = 0; i < rows; ++i) row[i] = a[i] + run->row_offset;
        const auto add = [&](auto&& read) {
            vec of_column[cols];
#pragma GCC unroll 4
            for (int j = 0; j < cols; ++j) of_column[j] = read(column + j * b_pitch);
#pragma GCC unroll 8
            for (int i = 0; i < rows; ++i) {
                const vec of_row = read(row[i]);
#pragma GCC unroll 4
                for (int j = 0; j < cols; ++j) acc[i][j] += of_row * of_column[j];
            }
        };
        int64_t k = 0;
        for (; k + lanes <= run->length; k += lanes) add([&](const real* p) { return load(p + k); });
        if (k < run->length) add([&](const real* p) { return load_part(p + k, run->length - k); });
    }
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < cols; ++j) c[i][j] = sum_lanes(acc[i][j]);
}

template <int cols>
void dots_of_rows(real* const* c, int64_t rows, const real* const* a, const real* b, int64_t b_pitch, const DotRun* runs,
                  int run_count) {
    int64_t i = 0;
    for (; i + dot_rows(cols) <= rows; i += dot_rows(cols)) dots<dot_rows(cols), cols>(c + i, a + i, b, b_pitch, runs, run_count);
    for (; i < rows; ++i) dots<1, cols>(c + i, a + i, b, b_pitch, runs, run_count);
}

// c[i][j] = sum over the runs of a[i] and of column j, at b + j * b_pitch, for `rows` rows and cols <= few_cols columns.
// The bits of a row do not depend on other rows.
inline void multiply_few_columns(real* const* c, int64_t rows, int cols, const real* const* a, const real* b, int64_t b_pitch,
                                 const DotRun* runs, int run_count) {
    switch (cols) {
        case 1: return dots_of_rows<1>(c, rows, a, b, b_pitch, runs, run_count);
        case 2: return dots_of_rows<2>(c, rows, a, b, b_pitch, runs, run_count);
        case 3: return dots_of_rows<3>(c, rows, a, b, b_pitch, runs, run_count);
        case 4: return dots_of_rows<4>(c, rows, a, b, b_pitch, runs, run_count);
    }
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
