// Frechet distance between two sets of features, each modelled as a normal distribution (Heusel et al., arXiv 1706.08500).
#pragma once
#include <cstdint>
#include <vector>

#include "engine/metrics/rows.h"

namespace gannet {

struct Moments {
    int64_t count = 0;               // number of rows
    std::vector<double> mean;        // (size)
    std::vector<double> covariance;  // (size, size), unbiased
};

// The covariance of one row is NaN, as in numpy.cov.
Moments moments_of(const Rows<float>& rows);

// The bytes that the moments of four sets of rows with `size` values, and the distance between two of them, take at most.
double frechet_bytes(int64_t size);

// |m - n|^2 + tr(S + T - 2 sqrt(S T)). The root is taken of the symmetric sqrt(S) T sqrt(S), with eigenvalues clipped at 0.
// Throws Error if the sizes differ, if a side has no more rows than features (its covariance is rank-deficient, which would
// dominate the distance), or if a value is not finite.
double frechet_distance(const Moments& a, const Moments& b);

}  // namespace gannet
