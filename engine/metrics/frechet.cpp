#include "engine/metrics/frechet.h"

#define EIGEN_MPL2_ONLY
#include <algorithm>
#include <cmath>
#include <eigen3/Eigen/Eigenvalues>
#include <string>

#include "base/error.h"
#include "base/text.h"

namespace gannet {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;
constexpr int64_t rows_at_once = 1000;

Eigen::Map<const Matrix> covariance_of(const Moments& m) {
    return {m.covariance.data(), Eigen::Index(m.mean.size()), Eigen::Index(m.mean.size())};
}
Eigen::Map<const Vector> mean_of(const Moments& m) { return {m.mean.data(), Eigen::Index(m.mean.size())}; }

void check(const Moments& a, const Moments& b) {
    const int64_t size = int64_t(a.mean.size());
    if (a.mean.size() != b.mean.size())
        throw Error(counted(size, "feature") + " in one set, " + std::to_string(b.mean.size()) + " in the other",
                    "frechet_distance", "read both sets with one classifier");
    const int64_t fewer = std::min(a.count, b.count);
    if (fewer <= size)
        throw Error(counted(fewer, "row") + " of " + counted(size, "feature"), "frechet_distance",
                    "use at least " + std::to_string(size + 1));
    for (const Moments* m : {&a, &b})
        if (!mean_of(*m).allFinite() || !covariance_of(*m).allFinite())
            throw Error("features that are not finite", "frechet_distance", "check the classifier's weights");
}

// The square root of a symmetric positive semidefinite matrix. Negative eigenvalues come from rounding and are set to 0.
Matrix root(const Matrix& symmetric) {
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric);
    const Vector roots = solver.eigenvalues().cwiseMax(0).cwiseSqrt();
    return solver.eigenvectors() * roots.asDiagonal() * solver.eigenvectors().transpose();
}

}  // namespace

Moments moments_of(const std::vector<float>& rows, int64_t size) {
    using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const int64_t count = int64_t(rows.size()) / size;
    const Eigen::Map<const Rows> all(rows.data(), count, size);
    Vector mean = Vector::Zero(size);
    for (int64_t i = 0; i < count; ++i) mean += all.row(i).transpose().cast<double>();
    mean /= double(count);
    Matrix sum = Matrix::Zero(size, size);
    for (int64_t first = 0; first < count; first += rows_at_once) {
        const Matrix block =
            all.middleRows(first, std::min(rows_at_once, count - first)).cast<double>().rowwise() - mean.transpose();
        sum.noalias() += block.transpose() * block;
    }
    sum /= double(count - 1);
    return {count, {mean.begin(), mean.end()}, {sum.data(), sum.data() + sum.size()}};
}

double frechet_distance(const Moments& a, const Moments& b) {
    check(a, b);
    const Eigen::Map<const Matrix> s = covariance_of(a), t = covariance_of(b);
    const Matrix half = root(s), product = half * t * half, inner = (product + product.transpose()) / 2;
    const Vector values = Eigen::SelfAdjointEigenSolver<Matrix>(inner, Eigen::EigenvaluesOnly).eigenvalues();
    const double distance =
        (mean_of(a) - mean_of(b)).squaredNorm() + s.trace() + t.trace() - 2 * values.cwiseMax(0).cwiseSqrt().sum();
    return distance < 0 ? 0 : distance;  // rounding, of equal sets
}

}  // namespace gannet
