// Matrix products by cuBLAS, for matmul.cu. MatmulChoice::automatic (precision.h) selects it by this fixed rule:
//
//   the product                                 GPU            precision     cuBLAS from 2 M N K =
//   plain: without bias, activation             any            fp32          2^32 flops (1024 x 2048 x 1024)
//   or moments, and M, N, K >= 256              sm_80 to 89    tf32, bf16    2^34
//                                               sm_90 on       tf32, bf16    2^32: only cuBLAS reaches their full rate
//   otherwise                                   any            any           never: fusing saves more time than cuBLAS
//
// The time of smaller GEMMs depends on launch overhead and partly filled waves of blocks, for which Gannet's kernels are
// tuned. The numbers are estimates, not confirmed on a GPU. `apps/bench MODEL --tune FILE` measures; its table overrides the rule
// (execution.h).
//
// Results repeat bit for bit on one kind of GPU (one stream, a fixed workspace, no atomics), but a row's bits may depend on M.
#pragma once
#include "kernels/precision.h"
#include "kernels/shapes.h"

namespace gannet::kernels::cuda {

// Whether the rule above selects cuBLAS. `capability` is 10 * major + minor.
constexpr bool cublas_is_faster(const MatmulShape& s, bool plain, Precision precision, int capability) {
    if (!plain || s.M < 256 || s.N < 256 || s.K < 256) return false;
    const bool tensor_cores = precision != Precision::fp32 && capability >= 80;
    return 2.0 * double(s.M) * double(s.N) * double(s.K) >= (tensor_cores && capability < 90 ? 0x1p34 : 0x1p32);
}

// matmul of the contract, with `channels` as in matmul.h. Returns false and writes nothing if `choice` excludes cuBLAS, the
// program was built without cuBLAS, T is not float, or an extent is 0 or does not fit in an int. The first call creates the
// handle and allocates its workspace, so it must not be captured.
template <class T>
bool matmul_cublas(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, int64_t channels,
                   Activation act, MatmulChoice choice, Precision precision, Stream stream);

}  // namespace gannet::kernels::cuda
