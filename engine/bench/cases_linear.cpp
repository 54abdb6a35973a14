// Cases of matrix products and convolutions: each layer's forward pass, data gradient and weight gradient.
#include <algorithm>

#include "base/error.h"
#include "engine/bench/kernels.h"
#include "engine/bench/onednn.h"

namespace gannet::bench {
namespace {

// ---- plain loops over the formulas, on one thread, as baselines; operands as in kernels/contract

namespace naive {

// Calls f(x, w, y) with the indices of every multiplication of a convolution.
template <class F>
void for_products(const ConvShape& s, F f) {
    for (int64_t n = 0; n < s.N; ++n)
        for (int64_t p = 0; p < s.P; ++p)
            for (int64_t q = 0; q < s.Q; ++q)
                for (int64_t o = 0; o < s.OC; ++o)
                    for (int64_t r = 0; r < s.R; ++r)
                        for (int64_t t = 0; t < s.S; ++t) {
                            const int64_t h = p * s.stride - s.padding + r, w = q * s.stride - s.padding + t;
                            if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
                            for (int64_t c = 0; c < s.C; ++c)
                                f(((n * s.H + h) * s.W + w) * s.C + c, ((o * s.R + r) * s.S + t) * s.C + c,
                                  ((n * s.P + p) * s.Q + q) * s.OC + o);
                        }
}

void matmul(real* c, const real* a, const real* b, const MatmulShape& s) {
    for (int64_t i = 0; i < s.M; ++i)
        for (int64_t j = 0; j < s.N; ++j) {
            real sum = 0;
            for (int64_t k = 0; k < s.K; ++k)
                sum += a[s.transpose_a ? k * s.M + i : i * s.K + k] * b[s.transpose_b ? j * s.K + k : k * s.N + j];
            c[i * s.N + j] = sum;
        }
}

void conv2d(real* y, const real* x, const real* w, const ConvShape& s) {
    std::fill_n(y, s.out_size(), real(0));
    for_products(s, [=](int64_t i, int64_t j, int64_t k) { y[k] += x[i] * w[j]; });
}

void conv2d_dgrad(real* dx, const real* dy, const real* w, const ConvShape& s) {
    std::fill_n(dx, s.in_size(), real(0));
    for_products(s, [=](int64_t i, int64_t j, int64_t k) { dx[i] += dy[k] * w[j]; });
}

void conv2d_wgrad(real* dw, const real* x, const real* dy, const ConvShape& s) {
    std::fill_n(dw, s.filter_size(), real(0));
    for_products(s, [=](int64_t i, int64_t j, int64_t k) { dw[j] += dy[k] * x[i]; });
}

}  // namespace naive

// A linear layer: x (M, in), w (out, in).
struct Linear {
    int64_t M, in, out;
};
const Linear linears[] = {
    {64, 100, 128},   // vanilla, wgan-clip: the generator
    {64, 128, 256},   //
    {64, 256, 512},   // and keras-mlp's
    {64, 512, 1024},  //
    {64, 1024, 784},  //
    {64, 100, 256},   // keras-mlp: its first
    {64, 784, 512},   // the three models' discriminator
    {64, 512, 256},   //
    {64, 256, 1},     //
    {64, 6272, 1},    // dcgan, wgan: the discriminator's last
};

// A convolution from (H, H, C) to (P, P, OC), or a transposed convolution from (P, P, OC) to (H, H, C).
struct Conv {
    int64_t N, H, C, P, OC, kernel, stride, padding;
};
const Conv convs[] = {
    {64, 7, 128, 1, 100, 7, 1, 0},    // dcgan, wgan: the generator's first
    {64, 14, 64, 7, 128, 4, 2, 1},    // the second of both networks
    {64, 28, 1, 14, 64, 4, 2, 1},     // the generator's last, the discriminator's first
    {128, 4, 512, 1, 100, 4, 1, 0},   // dcgan64
    {128, 8, 256, 4, 512, 4, 2, 1},   //
    {128, 16, 128, 8, 256, 4, 2, 1},  //
    {128, 32, 64, 16, 128, 4, 2, 1},  //
    {128, 64, 3, 32, 64, 4, 2, 1},    //
    {128, 4, 512, 1, 1, 4, 1, 0},     //
    {64, 4, 512, 1, 100, 4, 1, 0},    // wgan-gp64
    {64, 8, 256, 4, 512, 4, 2, 1},    //
    {64, 16, 128, 8, 256, 4, 2, 1},   //
    {64, 32, 64, 16, 128, 4, 2, 1},   //
    {64, 64, 3, 32, 64, 4, 2, 1},     //
    {64, 4, 512, 1, 1, 4, 1, 0},      //
    {32, 32, 128, 32, 128, 3, 1, 1},  // seed 003: a generator that upsamples and convolves
    {32, 64, 64, 64, 3, 3, 1, 1},     //
    {32, 32, 16, 16, 32, 3, 2, 1},    // and its discriminator
    {64, 14, 32, 7, 64, 5, 2, 2},     // classifier-mnist
};

std::string number(int64_t n) { return std::to_string(n); }

std::string image(int64_t side, int64_t channels) { return number(side) + "x" + number(side) + "x" + number(channels); }

// The part of the batch that a plain loop computes in a few hundredths of a second.
ConvShape part_of(ConvShape s, double flops) {
    s.N = std::clamp<int64_t>(int64_t(double(s.N) * 2e7 / flops), 1, s.N);
    return s;
}

Baseline onednn_baseline(std::function<std::function<void()>(const Call&)> prepare) {
    return {"oneDNN", false, std::move(prepare)};
}

std::vector<Baseline> matmul_baselines(const MatmulShape& s) {
    std::vector<Baseline> baselines{
        naive_baseline([s](const Call& u) { naive::matmul(u.p[0], u.p[1], u.p[2], s); }),
        onednn_baseline([s](const Call& u) { return onednn::matmul(s, u.p[0], u.p[1], u.p[2], u.device.threads().size()); }),
    };
#ifdef GANNET_CUBLAS
    // Runs cuBLAS through the same kernel; omitted if the library is not found.
    baselines.push_back({"cuBLAS", true, [s](const Call& u) -> std::function<void()> {
                             const auto run = [s, &u, device = u.device.with({.matmul = MatmulChoice::cublas})] {
                                 RUN(device, matmul<real>, u.p[0], nullptr, u.p[1], u.p[2], nullptr, s, Activation{});
                             };
                             try {
                                 run();
                             } catch (const Error&) {
                                 return {};
                             }
                             return run;
                         }});
#endif
    return baselines;
}

}  // namespace

void add_linear_cases(std::vector<KernelCase>& cases) {
    for (const Linear& l : linears) {
        const double flops = 2.0 * double(l.M) * double(l.in) * double(l.out);
        const auto add = [&](const char* pass, const MatmulShape& s) {
            const CasesOf at{cases, number(l.M) + "x" + number(l.in) + " -> " + number(l.out) + " " + pass};
            at.add("matmul", {{s.M * s.N}, {s.M * s.K}, {s.K * s.N}}, flops,
                   CALL(matmul<real>, u.p[0], nullptr, u.p[1], u.p[2], nullptr, s, Activation{}));
            cases.back().baselines = matmul_baselines(s);
        };
        add("forward", {l.M, l.out, l.in, false, true});
        add("data gradient", {l.M, l.in, l.out, false, false});
        add("weight gradient", {l.out, l.in, l.M, true, false});
    }
    for (const Conv& c : convs) {
        const ConvShape s{c.N, c.H, c.H, c.C, c.P, c.P, c.OC, c.kernel, c.kernel, c.stride, c.padding};
        const double flops = 2.0 * double(s.out_size()) * double(s.R * s.S * s.C);
        const std::string shape = number(c.N) + ": " + image(c.H, c.C) + " -> " + image(c.P, c.OC) + ", kernel " +
                                  number(c.kernel) + " stride " + number(c.stride);
        const int64_t x = s.in_size(), w = s.filter_size(), y = s.out_size();
        const ConvShape few = part_of(s, flops);
        const double part = double(few.N) / double(s.N);
        using onednn::Pass;
        // `image` and `result` are the arrays that oneDNN takes as the image and the output.
        const auto add = [&](const char* kernel, std::vector<Array> arrays, Work run, auto naive, Pass pass, std::size_t image,
                             std::size_t result) {
            CasesOf{cases, shape}.add(kernel, std::move(arrays), flops, std::move(run));
            cases.back().baselines = {naive_baseline([few, naive](const Call& u) { naive(u.p[0], u.p[1], u.p[2], few); }, part),
                                      onednn_baseline([=](const Call& u) {
                                          return onednn::conv2d(s, pass, u.p[image], u.p[result], u.device.threads().size());
                                      })};
        };
        add("conv2d", {{y}, {x}, {w}}, CALL(conv2d<real>, u.p[0], nullptr, u.p[1], u.p[2], nullptr, s, Activation{}),
            naive::conv2d, Pass::forward, 1, 0);
        add("conv2d_dgrad", {{x}, {y}, {w}}, CALL(conv2d_dgrad<real>, u.p[0], nullptr, u.p[1], u.p[2], nullptr, s, Activation{}),
            naive::conv2d_dgrad, Pass::data_gradient, 0, 1);
        add("conv2d_wgrad", {{w}, {x}, {y}}, CALL(conv2d_wgrad<real>, u.p[0], u.p[1], u.p[2], s), naive::conv2d_wgrad,
            Pass::weight_gradient, 1, 2);
    }
}

}  // namespace gannet::bench
