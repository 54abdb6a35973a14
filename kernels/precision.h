// The precision of matrix products, and which implementation computes them.
#pragma once
#include <cstdint>

#include "kernels/shapes.h"

namespace gannet {

// The precision to which the operands of a matrix product are rounded; sums are always fp32. tf32 keeps 11 significant bits, bf16
// 8. GPUs before sm_80, and shapes that the tensor-core kernels do not support, use fp32.
enum class Precision : uint8_t { fp32, tf32, bf16 };

// automatic: selected by the rule in kernels/cuda/matmul_cublas.h.
enum class MatmulChoice : uint8_t { automatic, own, cublas };

// |c - exact| <= matmul_error(precision, K) * (sum over k of |a| |b|), for one element before bias and activation.
// Rounding to p bits to nearest has a relative error of at most u = 2^-p for each operand and 2u + u^2 for each product. K
// additions follow, and two for slices. An fp32 addition has an error of at most 2^-24, that of a tensor core, which may
// truncate, 2^-23.
constexpr double matmul_error(Precision precision, int64_t K) {
    const double u = precision == Precision::tf32 ? 0x1p-11 : precision == Precision::bf16 ? 0x1p-8 : 0;
    return 2 * u + u * u + double(K + 2) * (precision == Precision::fp32 ? 0x1p-24 : 0x1p-23) * (1 + u) * (1 + u);
}

}  // namespace gannet
