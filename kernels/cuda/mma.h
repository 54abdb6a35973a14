// Tensor cores (sm_80 and later): mma.sync, the load of its operands from shared memory (ldmatrix), and the rounding of its
// operands. All 32 lanes of a warp must call these functions together, except for the roundings. With g = l / 4 and t = l % 4,
// lane l holds:
//
//   tf32, 16 x 8 x 8      a[0] = A[g][t]    a[1] = A[g+8][t]    a[2] = A[g][t+4]    a[3] = A[g+8][t+4]
//                         b[0] = B[t][g]    b[1] = B[t+4][g]
//   bf16, 16 x 8 x 16     a[0] = A[g][2t..2t+1]      a[1] = A[g+8][2t..2t+1]    a[2] = A[g][2t+8..2t+9]    a[3] =
//   A[g+8][2t+8..2t+9]
//                         b[0] = B[2t..2t+1][g]      b[1] = B[2t+8..2t+9][g]    (the first of two values is in the low half)
//   both                  c[0] = C[g][2t]   c[1] = C[g][2t+1]   c[2] = C[g+8][2t]   c[3] = C[g+8][2t+1]
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

namespace gannet::kernels::cuda {

// Whether this compilation has tensor cores. Otherwise the kernels that use them are empty; launchers check serves_mma().
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
inline constexpr bool has_mma = false;
#else
inline constexpr bool has_mma = true;
#endif

// Whether the code of `kernel` on this device was compiled with tensor cores. False on sm_75, and for code that was compiled for
// sm_75 and translated by the driver.
template <class... P>
bool serves_mma(void (*kernel)(P...)) {
    cudaFuncAttributes attributes = {};
    if (cudaFuncGetAttributes(&attributes, kernel) == cudaSuccess) return attributes.ptxVersion >= 80;
    cudaGetLastError();
    return false;
}

// c += A B
__device__ __forceinline__ void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if constexpr (has_mma)
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if constexpr (has_mma)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8 x 4 matrices of 32-bit values from shared memory: lane l gives the address of row l % 8 (16 bytes) of matrix l / 8,
// and receives in r[i] the value (l / 4, l % 4) of matrix i.
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const void* row) {
    if constexpr (has_mma)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
                     : "memory");
}

// Rounds x to nearest for mma_tf32, ties away from zero, as cvt.rna.tf32.f32, in two instructions instead of three. Adds half a
// unit of the last place that is kept; the tensor core ignores the 13 bits below. Infinities and NaNs are unchanged; denormal
// numbers are truncated.
__device__ __forceinline__ uint32_t round_tf32(uint32_t x) {
    const float power_of_two = __uint_as_float(x & 0xFF800000u);
    return __float_as_uint(__fmaf_rn(power_of_two, 0x1p-11f, __uint_as_float(x)));
}

// Rounds two values to nearest even, `first` in the low half.
__device__ __forceinline__ uint32_t round_bf16(uint32_t first, uint32_t second) {
    uint32_t pair = 0;
    if constexpr (has_mma)
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(__uint_as_float(second)), "f"(__uint_as_float(first)));
    return pair;
}

}  // namespace gannet::kernels::cuda
