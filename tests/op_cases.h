// The one table of op cases. It drives the tests of parity with references, gradients of every order, fused against composed
// forms, range invariance, threads and coverage. An op without a case fails a test.
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

// Numbers uniform in (low, high), none within `gap` of a kink. Rounded to float in both builds, so that both see the same.
struct Draw {
    double low = -1, high = 1;
    std::vector<double> kinks = {};
};
inline constexpr double gap = 0.02;
inline const Draw symmetric{-1, 1}, positive{0.5, 2}, probability{0.05, 0.95}, off_zero{-1, 1, {0}};

// `count` numbers that depend only on the name and the index.
std::vector<real> draw(const Draw& draw, int64_t count, const std::string& name, int index);

enum class Use {
    whole,     // read by every sample
    batched,   // axis 0 counts samples: the case must give the same bits for a range of them
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
    Build build;                                   // the ops; the number of samples comes from the inputs' shapes
    std::function<Lists(const Lists&)> reference;  // all outputs from all inputs
    double ulps = 4;                               // rounding of an elementwise formula, in units of each value
    double terms = 0;                              // summed into a value: adds 2 sqrt(terms) ulps of the largest value
    Build composition = {};                        // of a fused op: the same function made of other ops
    int orders = 2;                                // of derivatives that are checked
    double least = 0;                              // where terms cancel: errors are relative to at least this size

    std::string name() const { return op + " " + label; }
    bool per_sample() const;
};

const std::vector<OpCase>& op_cases();

// Leaves on the device; those that are differentiable require a gradient.
Tensors make_inputs(const OpCase& c, Device device);

// The error of `got`, in units of the tolerance: at most 1 passes, NaN fails. See OpCase.
double mismatch(const std::vector<real>& got, const Values& expected, double ulps, double terms, double least = 0);

// `terms` for a normalisation over `count` values. A few values may lie close together: dividing by their deviation then
// magnifies the rounding of x.
inline double normalisation_terms(int64_t count) { return count < 8 ? 10000 : 64 + double(count); }

// Convolutions of every kind that the kernels distinguish; shared with the kernel cases.
std::vector<ConvShape> conv_shapes();
// The `terms` of a convolution's sum. Where Winograd may be used (4x4, stride 2, channels a multiple of 16), the integers of its
// transforms magnify rounding by two bits, as the test of its errors measures: 16 times the terms. Where tiles of 7x7 outputs
// need at most three quarters of the multiplications, by four bits: 256 times.
inline double convolution_terms(const ConvShape& s, double terms) {
    if (s.R != 4 || s.S != 4 || s.stride != 2 || s.C % 16 || s.OC % 16) return terms;
    const auto tiles = [&](int64_t side) { return double(((s.P + side - 1) / side) * ((s.Q + side - 1) / side)); };
    return (64 * tiles(7) < 0.75 * 25 * tiles(4) ? 256 : 16) * terms;
}
std::string text(const ConvShape& s);
std::string text(const RowsShape& s);
std::string text(Activation a);
std::vector<Activation> activations();
// What an activation's derivative is computed from, and the `terms` of a derivative that cancels near its zero.
Draw kept_values(Activation act);
inline double slope_terms(Activation act) { return needs_input(act.kind) ? 1 : 0; }

// Keeps only the cases with names that match the regular expression GANNET_TEST_CASES, for work on a kernel and for slow devices.
template <class Case>
void keep_selected(std::vector<Case>& cases) {
    const char* pattern = std::getenv("GANNET_TEST_CASES");
    if (!pattern) return;
    const std::regex expression(pattern);
    std::erase_if(cases, [&](const Case& c) { return !std::regex_search(c.name(), expression); });
}

// The instruction sets of this machine, and its GPU if there is one; GANNET_TEST_DEVICE=cpu|cuda selects only those.
std::vector<Device> devices(int threads = 0);

// Counters in the device's memory.
inline constexpr Counters test_position{3, 1000};
const Counters* test_counters(Device device);

// ---- the table's parts, one for each file
void add_pointwise_cases(std::vector<OpCase>& cases);
void add_layer_cases(std::vector<OpCase>& cases);

}  // namespace gannet::tests
