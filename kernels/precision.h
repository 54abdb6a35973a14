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

}  // namespace gannet
