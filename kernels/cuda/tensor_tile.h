// The tile of a block of a matrix product on tensor cores: operands are copied from global memory through shared memory
// (cp.async, several stages) to the registers of mma.sync. matmul_tensor.cu describes the order of the steps.
//
// An operand is a matrix of lines by depth (the lines are rows of op(a), columns of op(b); the depth is K) and is stored along
// K (a, transposed b) or along its lines (transposed a, b). Both forms give the same registers to mma.sync:
//
//   The lines of a warp form groups of 32. A group consists of four sets of eight lines. A set has the lines of half an mma
//   operand a, or of a whole operand b: line(set i, g) = 4 spread(g) + i, where g = lane / 4 and spread = 0 4 1 5 2 6 3 7. So one
//   16-byte load along the lines gives a lane its values of four sets, and the four sums of a lane for four sets of columns are
//   side by side in C.
//
// The layout in shared memory, without bank conflicts for every access below:
//   along K       line by line, `depth` values each; 16-byte chunk i is stored at i ^ (line / 4 % 8)
//   along lines   k by k, `lines` values each; chunk i is stored at i ^ (k % 4)
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/async_copy.h"
#include "kernels/cuda/mma.h"
#include "kernels/cuda/pack.h"
#include "kernels/precision.h"

namespace gannet::kernels::cuda {

// The sizes of a tile: m x n of C, K in steps of `depth`, `stages` steps in shared memory.
template <int m_, int n_, int depth_, int stages_, int warps_m_, int warps_n_>
struct TensorTile {
    static constexpr int m = m_, n = n_, depth = depth_, stages = stages_;
    static constexpr int warps_m = warps_m_, warps_n = warps_n_, threads = 32 * warps_m * warps_n;
    static constexpr int warp_m = m / warps_m, warp_n = n / warps_n;
    static constexpr int m_groups = warp_m / 32, n_groups = warp_n / 32;
    static_assert(warp_m % 32 == 0 && warp_n % 32 == 0 && (depth == 16 || depth == 32));
};

// The line, within a group of 32, of set 0 and lane group g.
__device__ __forceinline__ int spread_line(int g) { return 4 * (g / 2 + 4 * (g % 2)); }

// The part of a thread in copying an operand into shared memory, stage after stage along K.
template <int lines, int depth, int threads, bool along_k>
class TensorCopy {
    static constexpr int row_chunks = (along_k ? depth : lines) / 4, rows = threads / row_chunks;  // of one pass of the block
    static constexpr int passes = lines * depth / 4 / threads;
    static_assert(lines <= 256 && threads % row_chunks == 0 && (along_k ? rows % 16 == 0 : rows % 4 == 0));

public:
    // The block's lines begin at `line`, its part of K at k. `pitch` is the number of values in a row of the stored matrix.
    __device__ __forceinline__ TensorCopy(int pitch, int line, int all_lines, int k) {
        const int row = int(threadIdx.x) / row_chunks, chunk = int(threadIdx.x) % row_chunks;
        if constexpr (along_k) {
            from_ = uint32_t(line + row) * uint32_t(pitch) + uint32_t(k + 4 * chunk);
            to_ = (row * depth + 4 * chunk) ^ (row / 4 % 8 * 4);
            lines_ = all_lines - line - row;
            k_ = 4 * chunk;
        } else {
            from_ = uint32_t(k + row) * uint32_t(pitch) + uint32_t(line + 4 * chunk);
            to_ = (row * lines + 4 * chunk) ^ (row % 4 * 4);
            k_ = line + 4 * chunk < all_lines ? row : 1 << 30;
        }
    }

    // Copies the next `depth` of K, of which `left` exist. Writes zeros for the others and for lines that do not exist.
    __device__ __forceinline__ void operator()(float* stage, const float* matrix, int pitch, int left) {
        // The number of valid rows of the passes. Along K, two conditions are combined in one number (left and k_ are multiples
        // of 4). Separate predicates would stay live through the loop, and there are too few predicate registers.
        const int valid_rows = along_k ? min(lines_, (left - k_) * 64) : left - k_;
        uint32_t from = from_;
#pragma unroll
        for (int p = 0; p < passes; ++p) {
            const int to = along_k ? (to_ ^ (p * rows / 4 % 8 * 4)) + p * rows * depth : to_ + p * rows * lines;
            async_copy<16>(stage + to, matrix + from, valid_rows > p * rows);
            from += uint32_t(rows) * uint32_t(pitch);
        }
        from_ = along_k ? from_ + depth : from;
    }

private:
    uint32_t from_;  // an operand has fewer than 2^32 values
    int k_, lines_, to_;
};

// The values of a lane for a group of 32 lines and 8 of K: [set][half] is its line of the set at K = lane % 4 + 4 half.
struct TensorValues {
    uint32_t value[4][2];
};

// Reads a warp's values from a stage.
template <int lines, int depth, bool along_k>
class TensorRead {
public:
    __device__ __forceinline__ explicit TensorRead(int warp_line) {
        const int lane = int(threadIdx.x) % 32;
        if constexpr (along_k) {  // lane / 8 = matrix: two sets, each of two halves
            const int line = warp_line + spread_line(lane % 8) + lane / 16;
            at_ = (line * depth + lane / 8 % 2 * 4) ^ (line / 4 % 8 * 4);
        } else {
            const int k = lane % 4;
            at_ = (k * lines + warp_line + spread_line(lane / 4)) ^ (k * 4);
        }
    }

    // `step` selects 8 of the stage's K.
    __device__ __forceinline__ void operator()(TensorValues& to, const float* stage, int group, int step) const {
        if constexpr (along_k) {
            const float* from = stage + (at_ ^ (8 * step)) + group * 32 * depth;
#pragma unroll
            for (int set = 0; set < 4; set += 2) {
                uint32_t r[4];
                load_matrices(r, from + set * depth);
                to.value[set][0] = r[0], to.value[set][1] = r[1];
                to.value[set + 1][0] = r[2], to.value[set + 1][1] = r[3];
            }
        } else {
            const float* from = stage + at_ + 8 * step * lines + group * 32;
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const auto pack = load_pack<4>(reinterpret_cast<const uint32_t*>(from + 4 * half * lines));
#pragma unroll
                for (int set = 0; set < 4; ++set) to.value[set][half] = pack[set];
            }
        }
    }

private:
    int at_;
};

// The rounded mma operands of a group. For bf16 they span 16 of K, as two steps of 8. Any order of K is valid if it is the same
// for both operands. Here the pair of a lane consists of its two halves of one step.
template <Precision precision>
struct TensorOperandA {
    uint32_t value[2][4];

    __device__ __forceinline__ void round(const TensorValues& from, int step) {
#pragma unroll
        for (int set = 0; set < 4; ++set) {
            const uint32_t(&v)[2] = from.value[set];
            uint32_t(&to)[4] = value[set / 2];
            if constexpr (precision == Precision::tf32) {
                to[set % 2] = round_tf32(v[0]);
                to[set % 2 + 2] = round_tf32(v[1]);
            } else {
                to[set % 2 + 2 * (step % 2)] = round_bf16(v[0], v[1]);
            }
        }
    }
};

template <Precision precision>
struct TensorOperandB {
    uint32_t value[4][2];

    __device__ __forceinline__ void round(const TensorValues& from, int step) {
#pragma unroll
        for (int set = 0; set < 4; ++set) {
            const uint32_t(&v)[2] = from.value[set];
            if constexpr (precision == Precision::tf32) {
                value[set][0] = round_tf32(v[0]);
                value[set][1] = round_tf32(v[1]);
            } else {
                value[set][step % 2] = round_bf16(v[0], v[1]);
            }
        }
    }
};

// sums += a b for `m_groups` groups of rows and one group of columns.
template <Precision precision, int m_groups, int n_sets>
__device__ __forceinline__ void multiply_group(float (&sums)[2 * m_groups][n_sets][4], int group,
                                               const TensorOperandA<precision> (&a)[m_groups],
                                               const TensorOperandB<precision>& b) {
#pragma unroll
    for (int i = 0; i < 2 * m_groups; ++i)
#pragma unroll
        for (int jj = 0; jj < 4; ++jj) {
            const int j = i % 2 ? 3 - jj : jj;  // alternates the direction, so that one operand stays in registers
            if constexpr (precision == Precision::tf32) mma_tf32(sums[i][4 * group + j], a[i / 2].value[i % 2], b.value[j]);
            else mma_bf16(sums[i][4 * group + j], a[i / 2].value[i % 2], b.value[j]);
        }
}

}  // namespace gannet::kernels::cuda
