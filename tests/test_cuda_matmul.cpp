// Matrix products on tensor cores and by cuBLAS against matrix products in double.
#include <doctest/doctest.h>

#include "tests/skip.h"

#ifndef GANNET_CUDA

TEST_CASE("cuda: matrix products in every precision") { skipped("this program was built without CUDA"); }

#else

#include <cmath>

#include "engine/tensor/tensor.h"
#include "kernels/cuda/matmul_cublas.h"
#include "kernels/cuda/matmul_tensor.h"
#include "tests/op_cases.h"
#include "tests/reference.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

// |c - exact| <= matmul_error(precision, K) * (sum over k of |a| |b|), for one element before bias and activation.
// Rounding to p bits to nearest has a relative error of at most u = 2^-p for each operand and 2u + u^2 for each product. K
// additions follow, and two for slices. An fp32 addition has an error of at most 2^-24, that of a tensor core, which may
// truncate, 2^-23.
constexpr double matmul_error(Precision precision, int64_t K) {
    const double u = precision == Precision::tf32 ? 0x1p-11 : precision == Precision::bf16 ? 0x1p-8 : 0;
    return 2 * u + u * u + double(K + 2) * (precision == Precision::fp32 ? 0x1p-24 : 0x1p-23) * (1 + u) * (1 + u);
}

// Rounds to TF32 (11 significant bits, ties away from zero) or BF16 (8 bits, ties to even).
double rounded(double x, Precision precision) {
    if (precision == Precision::fp32 || x == 0) return x;
    const int bits = precision == Precision::tf32 ? 11 : 8;
    int exponent = 0;
    const double scaled = std::ldexp(std::frexp(x, &exponent), bits);
    return std::ldexp(precision == Precision::tf32 ? std::round(scaled) : std::nearbyint(scaled), exponent - bits);
}

Values values(const std::vector<real>& x, Precision precision) {
    Values y;
    for (real v : x) y.push_back(rounded(double(v), precision));
    return y;
}

struct Product {
    MatmulShape s;
    std::vector<real> a, b;
    explicit Product(const MatmulShape& shape)
        : s(shape),
          a(draw(symmetric, s.M * s.K, "product", int(s.N))),
          b(draw(symmetric, s.K * s.N, "product", int(s.M) + 5000)) {}

    // `run` writes c, which must equal the product of the rounded operands within `share` of the sum of |a| |b|.
    template <class F>
    void check(Precision precision, double share, F run) const {
        const Device gpu = Device::cuda();
        const Tensor c = Tensor::full({s.M, s.N}, NAN, gpu), da = Tensor::from(a, {s.M * s.K}, gpu),
                     db = Tensor::from(b, {s.K * s.N}, gpu);
        REQUIRE(run(c.data(), da.data(), db.data()));
        const std::vector<real> got = c.to_host();
        const auto sizes = [](Values x) {
            for (double& v : x) v = std::fabs(v);
            return x;
        };
        const Values ra = values(a, precision), rb = values(b, precision);
        const Values expected = reference::matmul(ra, rb, s), size = reference::matmul(sizes(ra), sizes(rb), s);
        double worst = 0;
        for (std::size_t i = 0; i < got.size(); ++i) {
            const double ratio = std::fabs(double(got[i]) - expected[i]) / (share * size[i] + 1e-6);
            if (!(ratio <= worst)) worst = std::isnan(ratio) ? INFINITY : ratio;
        }
        CHECK_MESSAGE(worst <= 1, s.M, "x", s.N, "x", s.K, std::string(s.transpose_a ? " a'" : ""),
                      std::string(s.transpose_b ? " b'" : ""), ", precision ", int(precision), ": off by ", worst, " tolerances");
    }
};

}  // namespace

TEST_CASE("cuda: matrix products on tensor cores use rounded operands") {
    if (const std::string why = Device::cuda_unusable(); !why.empty()) return skipped(why.c_str());
    if (Device::cuda().stream()->capability < 80) return skipped("tensor cores are served from sm_80 on");
    const Device gpu = Device::cuda();
    const Stream stream = gpu.stream();
    // small tiles, K slices in parallel, large tiles, K slices in sequence
    for (const auto& [M, N, K] : {std::array<int64_t, 3>{8, 12, 16},
                                  {36, 36, 64},
                                  {68, 68, 132},
                                  {12, 100, 28},
                                  {4, 4, 260},
                                  {64, 100, 1024},
                                  {8, 4, 2048},
                                  {4, 64, 516},
                                  {1540, 1028, 36},
                                  {6148, 64, 512}})
        for (const bool ta : {false, true})
            for (const bool tb : {false, true})
                for (const Precision p : {Precision::tf32, Precision::bf16}) {
                    if (M > 1000 && (ta || p == Precision::bf16)) continue;
                    const Product product({M, N, K, ta, tb});
                    product.check(p, double(K + 2) * 0x1p-23, [&](real* c, const real* a, const real* b) {
                        return kernels::cuda::matmul_tensor<real>(c, nullptr, a, b, nullptr, product.s, N, {}, p, stream);
                    });
                }
    // Unsupported shapes, alignments and precisions return false and write nothing.
    const Tensor x = Tensor::full({4096}, 1, Device::cuda()), y = Tensor::full({64}, 2, Device::cuda());
    for (const auto& [s, offset] :
         {std::pair{MatmulShape{8, 7, 8}, 0}, {MatmulShape{8, 8, 7}, 0}, {MatmulShape{8, 8, 0}, 0}, {MatmulShape{8, 8, 8}, 1}}) {
        CHECK(!kernels::cuda::matmul_tensor<real>(y.data(), nullptr, x.data() + offset, x.data() + 1024, nullptr, s, s.N, {},
                                                  Precision::tf32, stream));
        CHECK(y.to_host() == std::vector<real>(64, 2));
    }
    CHECK(!kernels::cuda::matmul_tensor<real>(y.data(), nullptr, x.data(), x.data(), nullptr, {8, 8, 8}, 8, {}, Precision::fp32,
                                              stream));
}

TEST_CASE("cuda: each matrix product is recorded once, and a table decides its implementation") {
    if (const std::string why = Device::cuda_unusable(); !why.empty()) return skipped(why.c_str());
    const Product product({33, 31, 65, false, true});
    std::vector<TunedProduct> seen;
    const Device gpu = Device::cuda().noting(seen);
    for (int i = 0; i < 2; ++i)
        product.check(Precision::fp32, matmul_error(Precision::fp32, 65), [&](real* c, const real* a, const real* b) {
            kernels::cuda::matmul<real>(c, nullptr, a, b, nullptr, product.s, {}, gpu.stream());
            return true;
        });
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].shape.K == 65);
    CHECK(seen[0].plain);
    Numerics numerics{.tuned = {{product.s, true, MatmulChoice::cublas}, {product.s, false, MatmulChoice::own}}};
    const auto choice = [&](const MatmulShape& s, bool plain) { return gpu.with(numerics).stream()->choice_for(s, plain); };
    CHECK(choice(product.s, true) == MatmulChoice::cublas);
    CHECK(choice(product.s, false) == MatmulChoice::own);
    MatmulShape other = product.s;
    other.transpose_b = false;
    CHECK(choice(other, true) == MatmulChoice::automatic);
    numerics.matmul = MatmulChoice::own;  // the setting overrides the table
    CHECK(choice(product.s, true) == MatmulChoice::own);
}

TEST_CASE("cuda: devices with different settings alternate in one process") {
    if (const std::string why = Device::cuda_unusable(); !why.empty()) return skipped(why.c_str());
    const Product product({8, 12, 16});
    const Device fp32 = Device::cuda(), bf16 = fp32.with({.precision = Precision::bf16});
    if (bf16.stream()->capability < 80) return skipped("tensor cores are served from sm_80 on");
    for (int i = 0; i < 2; ++i) {
        std::vector<std::vector<real> > results;
        for (const Device& device : {fp32, bf16}) {
            const Tensor c = Tensor::full({8, 12}, 0, device), a = Tensor::from(product.a, {8, 16}, device),
                         b = Tensor::from(product.b, {16, 12}, device);
            RUN(device, matmul<real>, c.data(), nullptr, a.data(), b.data(), nullptr, product.s, {});
            results.push_back(c.to_host());
        }
        CHECK(results[0] != results[1]);
        product.check(Precision::bf16, double(18) * 0x1p-23, [&](real* c, const real* a, const real* b) {
            RUN(bf16, matmul<real>, c, nullptr, a, b, nullptr, product.s, {});
            return true;
        });
        product.check(Precision::fp32, matmul_error(Precision::fp32, 16), [&](real* c, const real* a, const real* b) {
            RUN(fp32, matmul<real>, c, nullptr, a, b, nullptr, product.s, {});
            return true;
        });
    }
}

TEST_CASE("cuda: matrix products by cuBLAS") {
    if (const std::string why = Device::cuda_unusable(); !why.empty()) return skipped(why.c_str());
    const Tensor probe = Tensor::full({64}, 1, Device::cuda()), out = Tensor::full({64}, 1, Device::cuda());
    try {
        if (!kernels::cuda::matmul_cublas<real>(out.data(), nullptr, probe.data(), probe.data(), nullptr, {8, 8, 8}, 8, {},
                                                MatmulChoice::cublas, Precision::fp32, Device::cuda().stream()))
            return skipped("this program was built without cuBLAS");
    } catch (const std::exception& e) {
        return skipped(e.what());
    }
    for (const bool ta : {false, true})
        for (const bool tb : {false, true})
            for (const Precision p : {Precision::fp32, Precision::tf32, Precision::bf16}) {
                const Product product({33, 31, 65, ta, tb});
                // cuBLAS rounds the operands in its own way, so the reference uses exact operands.
                product.check(Precision::fp32, matmul_error(p, 65), [&](real* c, const real* a, const real* b) {
                    return kernels::cuda::matmul_cublas<real>(c, nullptr, a, b, nullptr, product.s, 31, {}, MatmulChoice::cublas,
                                                              p, Device::cuda().stream());
                });
            }
}

#endif
