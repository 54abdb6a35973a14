// Winograd (kernels/cpu/winograd.h) compared with the direct form: the shapes that use it, its errors, and the switch.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>

#include "engine/gan/trainer.h"
#include "tests/op_cases.h"
#include "tests/reference.h"
#include "tests/training_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

ConvShape layer(int64_t N, int64_t H, int64_t C, int64_t OC, int64_t kernel = 4, int64_t stride = 2) {
    const int64_t P = (H + 2 - kernel) / stride + 1;
    return {N, H, H, C, P, P, OC, kernel, kernel, stride, 1};
}

constexpr int64_t many_samples = 520;  // of one tile each: tasks have several samples, and sums over samples are sliced

// A pass and its inputs; 0 is conv2d, 1 conv2d_dgrad, 2 conv2d_wgrad.
const char* const passes[] = {"conv2d", "conv2d_dgrad", "conv2d_wgrad"};
struct Case {
    ConvShape s;
    int pass;
    std::vector<real> a, b;

    Case(const ConvShape& shape, int which) : s(shape), pass(which) {
        a = draw(symmetric, pass == 1 ? s.out_size() : s.in_size(), name(), 0);
        b = draw(symmetric, pass == 2 ? s.out_size() : s.filter_size(), name(), 1);
    }
    std::string name() const { return std::string(passes[pass]) + " " + text(s); }

    std::vector<real> run(const Device& usual, bool exact) const {
        const Device device = usual.with({.exact_convolutions = exact});
        std::vector<real> y(std::size_t(pass == 0 ? s.out_size() : pass == 1 ? s.in_size() : s.filter_size()), real(NAN));
        if (pass == 0) RUN(device, conv2d<real>, y.data(), nullptr, a.data(), b.data(), nullptr, s, {});
        if (pass == 1) RUN(device, conv2d_dgrad<real>, y.data(), nullptr, a.data(), b.data(), nullptr, s, {});
        if (pass == 2) RUN(device, conv2d_wgrad<real>, y.data(), a.data(), b.data(), s);
        return y;
    }
    Values expected() const {
        const Values x(a.begin(), a.end()), w(b.begin(), b.end());
        return pass == 0   ? reference::conv2d(x, w, s)
               : pass == 1 ? reference::conv2d_dgrad(x, w, s)
                           : reference::conv2d_wgrad(x, w, s);
    }
};

// Errors relative to the root mean square and to the largest of the expected values.
struct Errors {
    double rms = 0, worst = 0;
};
Errors errors(const std::vector<real>& got, const Values& expected) {
    double squares = 0, size = 0, worst = 0, largest = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        const double error = double(got[i]) - expected[i];
        squares += error * error, size += expected[i] * expected[i];
        worst = std::max(worst, std::fabs(error)), largest = std::max(largest, std::fabs(expected[i]));
    }
    return {std::sqrt(squares / size), worst / largest};
}

std::vector<Device> cpus() {
    std::vector<Device> all;
    for (const Device& device : devices())
        if (!device.is_cuda()) all.push_back(device);
    return all;
}

}  // namespace

// GANNET_PRINT_ERRORS=1 build/float/run_tests --test-case='Winograd: errors*' prints the table. Each limit is about twice the
// worst root mean square and maximum error that a prototype measured: F(4x4,2x2) 4.1e-6 and 1.4e-5; direct 1.0e-6 and 2.2e-6;
// F(7x7,2x2), in NumPy with sums in order, 7.2e-6 and 2.0e-5 at 256 terms. Limits scale with the unit of rounding, so they apply
// to double, too.
TEST_CASE("Winograd: errors compared with the direct form's") {
    const double unit = (sizeof(real) == 4 ? 0x1p-23 : 0x1p-52) / 0x1p-23;
    const bool print = std::getenv("GANNET_PRINT_ERRORS");
    struct Row {
        ConvShape s;
        double rms, worst;
    };
    const auto four = [](const ConvShape& s) { return Row{s, 8e-6, 2.8e-5}; };
    const auto seven = [](const ConvShape& s) { return Row{s, 1.5e-5, 4e-5}; };
    for (const auto& [s, rms, worst] :
         {four(layer(2, 8, 32, 32)), four(layer(2, 32, 64, 128)), four(layer(2, 16, 128, 256)), four(layer(1, 8, 256, 512)),
          four(layer(many_samples, 8, 32, 32)), seven(layer(8, 14, 64, 128)), seven(layer(1, 28, 64, 64)),
          seven(layer(1, 12, 128, 128)), seven(layer(many_samples, 14, 32, 32))})
        for (const int pass : {0, 1, 2}) {
            if (s.N == many_samples && pass != 2) continue;
            const Case c(s, pass);
            const Values expected = c.expected();
            for (const Device& device : cpus()) {
                const Errors tiles = errors(c.run(device, false), expected), direct = errors(c.run(device, true), expected);
                const std::string where = c.name() + " on " + device.name();
                CHECK_MESSAGE(tiles.rms <= rms * unit, where, ": ", tiles.rms, ", direct ", direct.rms);
                CHECK_MESSAGE(tiles.worst <= worst * unit, where, ": worst ", tiles.worst, ", direct ", direct.worst);
                CHECK_MESSAGE(direct.rms <= 2e-6 * unit, where, ": direct ", direct.rms);
                CHECK_MESSAGE(direct.worst <= 4.4e-6 * unit, where, ": direct, worst ", direct.worst);
                if (print)
                    std::printf("%-75s rms %.1e worst %.1e   direct %.1e %.1e\n", where.c_str(), tiles.rms, tiles.worst,
                                direct.rms, direct.worst);
            }
        }
}

// Winograd and the direct form differ in their last bits, which tell the test which one ran.
TEST_CASE("Winograd: the shapes that use it, and the switch to the direct form") {
    const auto serves = [](const ConvShape& s, int pass, Device device) {
        const Case c(s, pass);
        return c.run(device, false) != c.run(device, true);
    };
    for (const Device& device : cpus())
        for (const int pass : {0, 1, 2}) {
            INFO(passes[pass], " on ", device.name());
            for (const ConvShape& s : {layer(2, 8, 32, 32), layer(1, 8, 48, 32), layer(1, 14, 64, 128), layer(1, 16, 32, 64)})
                CHECK_MESSAGE(serves(s, pass, device), text(s));
            for (const ConvShape& s :
                 {layer(2, 8, 16, 32), layer(2, 8, 32, 16), layer(1, 8, 36, 32), layer(1, 8, 32, 40), layer(1, 10, 64, 64),
                  layer(1, 4, 64, 64), layer(1, 8, 32, 32, 4, 1), layer(1, 8, 32, 32, 3, 2)})
                CHECK_MESSAGE(!serves(s, pass, device), text(s));
        }
}

// The choice must not depend on N, or a range of a batch would use another form than the whole batch.
TEST_CASE("Winograd: a sample has the same bits in batches of any size") {
    for (const int64_t size : {8, 14})  // 4x4 and 7x7 tiles
        for (const Device& device : cpus())
            for (const int pass : {0, 1}) {
                Case c(layer(many_samples, size, 32, 32), pass);
                const std::vector<real> all = c.run(device, false);
                for (const int64_t N : {1, 3, 64, 130, 512}) {
                    c.s.N = N;
                    const std::vector<real> part = c.run(device, false);
                    CHECK_MESSAGE(part == std::vector<real>(all.begin(), all.begin() + long(part.size())), passes[pass], " of ",
                                  size, "x", size, " on ", device.name(), ", ", N, " samples");
                }
            }
}

// The op table has only shapes with few tiles; these have many tiles and slices.
TEST_CASE("Winograd: many tiles have the same bits for any number of threads") {
    for (const Device& device : cpus())
        for (const int pass : {0, 1, 2}) {
            for (const ConvShape& s : {layer(many_samples, 8, 32, 32), layer(130, 14, 32, 64), layer(many_samples, 14, 32, 32)}) {
                const Case c(s, pass);
                const std::vector<real> one = c.run(Device::cpu(device.backend(), {}, 1), false);
                for (const int threads : {2, 3})
                    CHECK_MESSAGE(c.run(Device::cpu(device.backend(), {}, threads), false) == one, c.name(), " on ",
                                  device.name(), " with ", threads, " threads");
            }
        }
}

TEST_CASE("Winograd: the key cpu.exact") {
    GanTrainer exact(golden_config("dcgan", {"cpu.exact=true"}), few_images(), Device::cpu());
    GanTrainer usual(golden_config("dcgan"), few_images(), Device::cpu());
    CHECK(exact.generator().device().numerics().exact_convolutions);
    CHECK(!usual.generator().device().numerics().exact_convolutions);
}
