// The scalar type of activations, weights, sums and moments.
// Float by default; GANNET_REAL=double builds the engine that checks gradients.
#pragma once
#include <cstdint>

namespace gannet {

#ifdef GANNET_DOUBLE
using real = double;
#else
using real = float;
#endif

}  // namespace gannet

// Marks the formulas that host and device compute.
#ifdef __CUDACC__
#define GANNET_HD __host__ __device__ inline
#else
#define GANNET_HD inline
#endif
