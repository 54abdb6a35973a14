// The GEMM of matmul, for convolutions that are one: an image to a point, a point to an image, a 1x1 filter.
#pragma once
#include "kernels/shapes.h"

namespace gannet::kernels::cuda {

// matmul, but bias has `channels` elements and moments 2 * channels: column n belongs to channel n % channels, and the rows of
// the moments are (M, N / channels).
template <class T>
void product(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, int64_t channels, Activation act,
             Stream stream);

}  // namespace gannet::kernels::cuda
