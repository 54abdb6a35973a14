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

Moments moments_of(const Rows<float>& rows) {
    const int64_t count = rows.count(), size = rows.size;
    const auto row = [&](int64_t i) { return Eigen::Map<const Eigen::VectorXf>(rows[i], size).cast<double>(); };
    Vector mean = Vector::Zero(size);
    for (int64_t i = 0; i < count; ++i) mean += row(i);
    mean /= double(count);
    Matrix sum = Matrix::Zero(size, size);
    for (int64_t first = 0; first < count; first += rows_at_once) {
        Matrix block(std::min(rows_at_once, count - first), size);
        for (int64_t i = 0; i < block.rows(); ++i) block.row(i) = (row(first + i) - mean).transpose();
        sum.noalias() += block.transpose() * block;
    }
    sum /= double(count - 1);
    return {count, {mean.begin(), mean.end()}, {sum.data(), sum.data() + sum.size()}};
}

// A distance has four matrices at once besides the four covariances.
double frechet_bytes(int64_t size) {
    const double n = double(size);
    return sizeof(double) * (8 * n * n + 2 * double(rows_at_once) * n);  // a block of rows, and the copy of it for the product
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
