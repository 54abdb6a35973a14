// Matrix products on tensor cores, for matmul.cu.
#pragma once
#include "kernels/precision.h"
#include "kernels/shapes.h"

namespace gannet::kernels::cuda {

// matmul of the contract with operands rounded to `precision` (`channels` as in matmul.h). Returns false and writes nothing if
// that is not supported: precision is fp32, the GPU or its code is older than sm_80, T is not float, K is 0, a or b is not on a
// 16-byte boundary, or the contiguous extent of one of them is not a multiple of 4. Neither the return value nor the bits of a
// row of C depend on M, unless a is transposed (then M is not a batch size). tests/test_cuda_matmul.cpp bounds the error.
template <class T>
bool matmul_tensor(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, int64_t channels,
                   Activation act, Precision precision, Stream stream);

}  // namespace gannet::kernels::cuda
