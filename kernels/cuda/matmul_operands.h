// Plain matrices as operands of the tiled GEMM (tile.h).
#pragma once
#include "kernels/cuda/tile.h"

namespace gannet::kernels::cuda {

// One operand: `extent` rows of A (columns of B) by K, stored (extent, K) if k_major, else (K, extent).
template <class T, int tile_extent, bool k_major, int vector>
class MatrixChunk {
    using Layout = OperandTile<tile_extent, k_major>;

public:
    // Rows beyond the last are read from the last row; their results are never written. K > 0.
    __device__ __forceinline__ MatrixChunk(const T* matrix, int64_t first, int64_t extent, int64_t K, int64_t k) {
        const int64_t last = extent - (k_major ? 1 : vector), wanted = first + Layout::chunk_row();
        const int64_t row = wanted < last ? wanted : last;
        k += Layout::chunk_k();
        pitch_ = k_major ? 1 : extent;
        from_ = matrix + (k_major ? row * K + k : k * extent + row);
        left_ = int(K - k < never_ending ? K - k : never_ending);
        rows_ = int(extent - wanted < chunk ? extent - wanted : chunk);
    }

    // `left`: the remaining steps of k for the chunk, k_left() of this operand or of another one with the same copies.
    template <class F>
    __device__ __forceinline__ void each(const F& f, int left) const {
#pragma unroll
        for (int i = 0; i < chunk; i += vector) f(i, from_ + i, k_major ? left > i : left > 0 && (i == 0 || rows_ > i));
    }
    __device__ __forceinline__ int k_left() const { return left_; }
    __device__ __forceinline__ void advance() {
        from_ += tile_depth * pitch_;
        left_ -= tile_depth;
    }

private:
    static constexpr int64_t never_ending = int64_t(1) << 30;  // more steps than any slice has

    const T* from_;
    int64_t pitch_;
    int left_, rows_;  // remaining steps of k; existing rows of the chunk
};

template <class T>
struct Matrices {
    const T *a, *b;
    int64_t M, N, K;

    std::string extents_text() const {
        return "product MNK " + std::to_string(M) + " " + std::to_string(N) + " " + std::to_string(K);
    }
};

template <class T, class Tile, bool transpose_a, bool transpose_b, int vector>
class MatmulOperands {
public:
    static constexpr bool a_k_major = !transpose_a, b_k_major = transpose_b;
    static constexpr int a_vector = vector, b_vector = vector;

    __device__ __forceinline__ MatmulOperands(const Matrices<T>& of, int64_t m0, int64_t n0, int64_t step)
        : a_(of.a, m0, of.M, of.K, step * tile_depth), b_(of.b, n0, of.N, of.K, step * tile_depth) {}

    template <class F>
    __device__ __forceinline__ void each_a(const F& f) const {
        a_.each(f, a_.k_left());
    }
    template <class F>
    __device__ __forceinline__ void each_b(const F& f) const {
        b_.each(f, a_k_major == b_k_major ? a_.k_left() : b_.k_left());
    }
    __device__ __forceinline__ void advance() { a_.advance(), b_.advance(); }

private:
    MatrixChunk<T, Tile::rows, a_k_major, vector> a_;
    MatrixChunk<T, Tile::cols, b_k_major, vector> b_;
};

}  // namespace gannet::kernels::cuda
