// The table of op cases, for tests of parity with references, gradients of every order, fused and composed forms, range
// invariance, threads and coverage. An op without a case fails a test.
#pragma once
#include <cstdlib>
#include <functional>
#include <regex>
#include <string>
#include <vector>

#include "engine/autograd/ops.h"

namespace gannet::tests {

using Values = std::vector<double>;
using Lists = std::vector<Values>;
using Build = std::function<Tensors(const Tensors&)>;

// Uniform in (low, high), at least `gap` away from every kink. Rounded to float in both builds, so that both use the same values.
struct Draw {
    double low = -1, high = 1;
    std::vector<double> kinks = {};
};
inline constexpr double gap = 0.02;
inline const Draw symmetric{-1, 1}, positive{0.5, 2}, probability{0.05, 0.95}, off_zero{-1, 1, {0}};

// `count` values that depend only on the name and the index.
std::vector<real> draw(const Draw& draw, int64_t count, const std::string& name, int index);

enum class Use {
    whole,     // read by every sample
    batched,   // axis 0 is the batch; a range of samples must give the same bits
    constant,  // no gradient
};

struct Input {
    Shape shape;
    Draw draw = symmetric;
    Use use = Use::whole;
};

struct OpCase {
    std::string op;     // as given to record()
    std::string label;  // shapes and options
    std::vector<Input> inputs;
    Build build;                                   // takes the batch size from the inputs' shapes
    std::function<Lists(const Lists&)> reference;  // all outputs from all inputs
    double ulps = 4;                               // rounding error of an elementwise formula, in ulps of each value
    double terms = 0;                              // terms of a sum: adds 2 sqrt(terms) ulps of the largest value
    Build composition = {};                        // for a fused op: the same function composed of other ops
    int orders = 2;                                // highest order of derivative that is checked
    double least = 0;                              // errors are relative to at least this size, where terms cancel

    std::string name() const { return op + " " + label; }
    bool per_sample() const;
};

const std::vector<OpCase>& op_cases();

// Leaves on the device; all but the constants require a gradient.
Tensors make_inputs(const OpCase& c, Device device);

// The error of `got` as a multiple of the tolerance (see OpCase): at most 1 passes, NaN fails.
double mismatch(const std::vector<real>& got, const Values& expected, double ulps, double terms, double least = 0);

// `terms` for a normalisation over `count` values. If a few values lie close together, dividing by their deviation amplifies the
// rounding error of x.
inline double normalisation_terms(int64_t count) { return count < 8 ? 10000 : 64 + double(count); }

// Every kind of convolution that the kernels distinguish; also used by the kernel cases.
std::vector<ConvShape> conv_shapes();
// The `terms` of a convolution. Where Winograd may be used (4x4, stride 2, channels a multiple of 16), its transforms amplify
// rounding errors, as tests/test_winograd.cpp measures: by two bits (16 times the terms), or by four bits (256 times) where tiles
// of 7x7 outputs need at most three quarters of the multiplications.
inline double convolution_terms(const ConvShape& s, double terms) {
    if (s.R != 4 || s.S != 4 || s.stride != 2 || s.C % 16 || s.OC % 16) return terms;
    const auto tiles = [&](int64_t side) { return double(((s.P + side - 1) / side) * ((s.Q + side - 1) / side)); };
    return (64 * tiles(7) < 0.75 * 25 * tiles(4) ? 256 : 16) * terms;
}
std::string text(const ConvShape& s);
std::string text(const RowsShape& s);
std::string text(Activation a);
std::vector<Activation> activations();
// The range of the tensor that an activation's derivative is computed from; and `terms` where the derivative cancels near its
// zero.
Draw kept_values(Activation act);
inline double slope_terms(Activation act) { return needs_input(act.kind) ? 1 : 0; }

// Keeps the cases whose names match the regular expression GANNET_TEST_CASES, to test one kernel or a slow device.
template <class Case>
void keep_selected(std::vector<Case>& cases) {
    const char* pattern = std::getenv("GANNET_TEST_CASES");
    if (!pattern) return;
    const std::regex expression(pattern);
    std::erase_if(cases, [&](const Case& c) { return !std::regex_search(c.name(), expression); });
}

// The instruction sets of this machine, and its GPU if there is one. GANNET_TEST_DEVICE=cpu|cuda selects one of the two.
std::vector<Device> devices(int threads = 0);

// Counters in the device's memory.
inline constexpr Counters test_position{3, 1000};
const Counters* test_counters(Device device);

// ---- the table's parts, one for each file
void add_pointwise_cases(std::vector<OpCase>& cases);
void add_layer_cases(std::vector<OpCase>& cases);

}  // namespace gannet::tests
