// The GEMM of matmul, also for convolutions that reduce to one: the input or output is one pixel, or the filter is 1x1.
#pragma once
#include "kernels/shapes.h"

namespace gannet::kernels::cuda {

// Like matmul, but bias has `channels` elements and moments 2 * channels: column n belongs to channel n % channels, and the
// moments are over M and N / channels.
template <class T>
void product(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, int64_t channels, Activation act,
             Stream stream);

}  // namespace gannet::kernels::cuda
