// Matrix products, with all transposes. 2 M N K flops on (M K + K N + M N) reals: bound by the FMA units from about 32 rows and
// columns on, otherwise by memory. gemm.h has the GEMM.
//
// A row of C has the same bits for any M, so a range of a batch has the same bits alone. Therefore the slicing of K, and the
// choice of dot products, depend on N and K (and the transposes), never on M.
#include "kernels/cpu/isa.h"

#include "kernels/cpu/dots.h"
#include "kernels/cpu/gemm.h"

namespace gannet::kernels::cpu::GANNET_ISA {
namespace {

// B, stored (K,N) or (N,K).
struct MatrixB {
    const real* b;
    int64_t N, K;
    bool transposed;

    void pack(real* panel, int64_t n0, int64_t cols, int64_t k, int64_t count) const {
        if (transposed) pack_panel_transposed(panel, b + n0 * K + k, K, cols, count);
        else pack_panel(panel, b + k * N + n0, N, cols, count);
    }
};

// Panels that a task packs right before it uses them, if no other task uses the same panel. In a training step the weights of a
// layer are no longer in L1 and L2, so the tiles prefetch the source of the next panel.
struct PanelsInTask {
    MatrixB matrix;
    int64_t task_cols;

    PanelAhead panel(Run* runs, int64_t n, int64_t cols, int64_t k, int count) const {
        real* const packed = scratch_reals(b_slot, block_k * tile_cols);
        matrix.pack(packed, n, cols, k, count);
        runs[0] = {0, 0, count};
        PanelAhead out{{packed, tile_cols, runs, 1}, nullptr, 0, 0, 0, 0};
        look_ahead(out, n, k);
        return out;
    }

private:
    // Order of panels: the columns of the task, then its next k, then the next task of the thread.
    void look_ahead(PanelAhead& out, int64_t n, int64_t k) const {
        const int64_t task = n / task_cols * task_cols;
        n += tile_cols;
        if (n >= std::min(task + task_cols, matrix.N)) n = task, k += block_k;
        if (k >= matrix.K) n = task + task_cols, k = 0;
        if (n >= matrix.N) return;
        const int64_t cols = std::min<int64_t>(tile_cols, matrix.N - n), count = std::min<int64_t>(block_k, matrix.K - k);
        constexpr int per_line = 64 / int(sizeof(real));
        out.pitch = matrix.transposed ? matrix.K : matrix.N;
        out.ahead = matrix.transposed ? matrix.b + n * matrix.K + k : matrix.b + k * matrix.N + n;
        const int64_t rows = matrix.transposed ? cols : count, lines = ceil_div(matrix.transposed ? count : cols, per_line);
        while (int64_t(1) << (out.shift + 1) <= lines) ++out.shift;
        out.end = int(rows << out.shift);
    }
};

// A long K with few columns is split, so that several threads have work.
int64_t slices_of(const MatmulShape& s) {
    const int64_t wanted = ceil_div(8, ceil_div(s.N, 64));
    return std::clamp<int64_t>(s.K / 1024, 1, wanted);
}

template <class A>
void product(real* c, const A& a, const real* b, const real* bias, const MatmulShape& s, Activation act, Stream stream) {
    const MatrixB matrix{b, s.N, s.K, s.transpose_b};
    Cut cut = cut_product(s.M, s.N, 8 * tile_rows, slices_of(s));
    cut.by_rows = s.M > s.K;  // C, the gradient of a weight, is larger than B: each thread writes whole rows
    if (cut.row_blocks == 1) return multiply(c, s.M, s.N, s.K, a, PanelsInTask{matrix, cut.cols}, cut, bias, act, stream);
    const real* packed = pack_all(stream, s.N, s.K, [&](auto... args) { matrix.pack(args...); });
    multiply(c, s.M, s.N, s.K, a, PackedPanels{packed, s.K}, cut, bias, act, stream);
}

// For few columns and contiguous rows of A. Bound by reading A.
void product_few_columns(real* c, const real* a, const real* b, const real* bias, const MatmulShape& s, Activation act,
                         Stream stream) {
    if (!s.transpose_b && s.N > 1) {
        real* columns = scratch_reals(shared_b_slot, s.N * s.K);
        for (int64_t k = 0; k < s.K; ++k)
            for (int64_t n = 0; n < s.N; ++n) columns[n * s.K + k] = b[k * s.N + n];
        b = columns;
    }
    const DotRun whole{0, 0, s.K};
    const int64_t rows_per_task = std::clamp<int64_t>(32768 / s.K / 8 * 8, 8, block_rows);
    parallel_for(stream, ceil_div(s.M, rows_per_task), [&](int64_t task) {
        const int64_t m0 = task * rows_per_task, rows = std::min(rows_per_task, s.M - m0);
        real* row[block_rows];
        const real* a_row[block_rows];
        for (int64_t i = 0; i < rows; ++i) row[i] = c + (m0 + i) * s.N, a_row[i] = a + (m0 + i) * s.K;
        multiply_few_columns(row, rows, int(s.N), a_row, b, s.K, &whole, 1);
        finish_rows(row, rows, s.N, bias, act);
    });
}

}  // namespace

template <class T>
void matmul(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, Activation act, Stream stream) {
    if (s.M <= 0 || s.N <= 0) return;
    if (s.transpose_a) product(c, ColumnsOfA{a, s.M, s.K}, b, bias, s, act, stream);
    else if (s.N <= few_cols && s.K > 0) product_few_columns(c, a, b, bias, s, act, stream);
    else product(c, RowsOfA{a, s.K}, b, bias, s, act, stream);
    if (moments) GANNET_ISA::moments(moments, c, RowsShape{s.M, s.N}, stream);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/matmul.inl"
#include "kernels/cpu/instantiate.inl"
