// The CPU test shim's kernels/cuda/mma.h: the same operations, computed by the last lane that arrives. Operands are rounded as on
// tensor cores, multiplications are exact, and sums are floats in the order of K (tensor cores use another order).
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

namespace gannet::kernels::cuda {

inline constexpr bool has_mma = true;

// SIMT_CC=7.5 makes it false.
template <class... P>
bool serves_mma(void (*kernel)(P...)) {
    cudaFuncAttributes attributes = {};
    if (cudaFuncGetAttributes(&attributes, kernel) == cudaSuccess) return attributes.ptxVersion >= 80;
    cudaGetLastError();
    return false;
}

namespace mma_shim {

inline constexpr unsigned all_32_lanes = 0xFFFFFFFFu;

// The operands of one lane.
struct Product {
    float* c;
    const uint32_t *a, *b;
};

// Word w of a row of A or a column of B, in order of K: one tf32 value, or two bf16 values. Lane 4 g + w % 4 has word w of line
// g.
template <bool bf16>
void unpack(float* line, uint32_t word, int w) {
    if (bf16) {
        line[2 * w] = __uint_as_float(word << 16);
        line[2 * w + 1] = __uint_as_float(word & 0xFFFF0000u);
    } else {
        line[w] = __uint_as_float(word & 0xFFFFE000u);
    }
}

template <bool bf16>
void multiply(void* const* lanes, unsigned) {
    constexpr int K = bf16 ? 16 : 8;
    float a[16][K], b[8][K];
    for (int g = 0; g < 8; ++g)
        for (int w = 0; w < 8; ++w) {
            const Product& lane = *static_cast<Product*>(lanes[4 * g + w % 4]);
            unpack<bf16>(a[g], lane.a[w / 4 * 2], w);
            unpack<bf16>(a[g + 8], lane.a[w / 4 * 2 + 1], w);
            unpack<bf16>(b[g], lane.b[w / 4], w);
        }
    for (int l = 0; l < 32; ++l) {
        float* c = static_cast<Product*>(lanes[l])->c;
        for (int i = 0; i < 4; ++i) {
            const float *row = a[l / 4 + i / 2 * 8], *column = b[l % 4 * 2 + i % 2];
            for (int k = 0; k < K; ++k) c[i] += row[k] * column[k];
        }
    }
}

struct Rows {
    const void* row;
    uint32_t* r;
};

inline void load(void* const* lanes, unsigned) {
    for (int l = 0; l < 32; ++l)
        for (int i = 0; i < 4; ++i) {
            const void* row = static_cast<Rows*>(lanes[8 * i + l / 4])->row;
            memcpy(&static_cast<Rows*>(lanes[l])->r[i], static_cast<const char*>(row) + l % 4 * 4, 4);
        }
}

inline constexpr simt::Operation mma_tf32 = {"mma_tf32", multiply<false>}, mma_bf16 = {"mma_bf16", multiply<true>},
                                 load_matrices = {"load_matrices", load};

}  // namespace mma_shim

inline void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_shim::Product mine = {c, a, b};
    simt::warp_meet(mma_shim::mma_tf32, mma_shim::all_32_lanes, &mine);
}
inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_shim::Product mine = {c, a, b};
    simt::warp_meet(mma_shim::mma_bf16, mma_shim::all_32_lanes, &mine);
}

inline void load_matrices(uint32_t (&r)[4], const void* row) {
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0) simt::fail("load_matrices: a row at %p, not on a 16-byte boundary", row);
    if (!simt::in_shared_memory(row, 16)) simt::fail("load_matrices: a row at %p, outside the block's shared memory", row);
    mma_shim::Rows mine = {row, r};
    simt::warp_meet(mma_shim::load_matrices, mma_shim::all_32_lanes, &mine);
}

// Adds half a unit of the last bit that is kept, so that truncation rounds.
inline uint32_t round_tf32(uint32_t x) {
    const float power_of_two = __uint_as_float(x & 0xFF800000u);
    return __float_as_uint(__uint_as_float(x) + power_of_two * 0x1p-11f);
}

inline uint32_t round_bf16(uint32_t first, uint32_t second) {
    const auto one = [](uint32_t x) -> uint32_t {
        if ((x & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FFF;
        return (x + 0x7FFFu + (x >> 16 & 1)) >> 16;
    };
    return one(first) | one(second) << 16;
}

// On a GPU, a load that the compiler cannot replace by a register.
inline int thread_again() { return int(threadIdx.x); }
inline int block_again() { return int(blockIdx.x); }

}  // namespace gannet::kernels::cuda
