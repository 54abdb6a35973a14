#include "tests/op_cases.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <random>

namespace gannet::tests {

std::vector<real> draw(const Draw& d, int64_t count, const std::string& name, int index) {
    uint64_t seed = 1469598103934665603u + uint64_t(index);
    for (char c : name) seed = (seed ^ uint8_t(c)) * 1099511628211u;
    std::mt19937_64 bits(seed);
    std::vector<real> values;
    while (int64_t(values.size()) < count) {
        const double v = float(d.low + (d.high - d.low) * double(bits() >> 11) * 0x1p-53);
        bool kept = true;
        for (double kink : d.kinks) kept = kept && std::fabs(v - kink) >= gap;
        if (kept) values.push_back(real(v));
    }
    return values;
}

Tensors make_inputs(const OpCase& c, Device device) {
    Tensors inputs;
    for (const Input& input : c.inputs) {
        const std::vector<real> values = draw(input.draw, input.shape.elements(), c.name(), int(inputs.size()));
        inputs.push_back(Tensor::from(values, input.shape, device).set_requires_grad(input.use != Use::constant));
    }
    return inputs;
}

bool OpCase::per_sample() const {
    for (const Input& input : inputs)
        if (input.use == Use::batched) return true;
    return false;
}

double mismatch(const std::vector<real>& got, const Values& expected, double ulps, double terms, double least) {
    if (got.size() != expected.size()) return INFINITY;
    const double eps = sizeof(real) == 4 ? 0x1p-23 : 0x1p-52;
    double largest = least, worst = 0;
    for (double v : expected) largest = std::max(largest, std::fabs(v));
    for (std::size_t i = 0; i < got.size(); ++i) {
        const double difference = std::fabs(double(got[i]) - expected[i]);
        if (difference == 0 || double(got[i]) == expected[i]) continue;
        const double tolerance = eps * (ulps * std::fabs(expected[i]) + 2 * std::sqrt(terms) * largest);
        const double ratio = difference / tolerance;
        if (!(ratio <= worst)) worst = std::isnan(ratio) ? INFINITY : ratio;
    }
    return worst;
}

std::vector<Device> devices(int threads) {
    const char* only = std::getenv("GANNET_TEST_DEVICE");
    std::vector<Device> all;
    if (!only || std::string(only) != "cuda")
        for (Backend isa : {Backend::cpu_scalar, Backend::cpu_avx2, Backend::cpu_avx512})
            if (Device::supports(isa)) all.push_back(Device::cpu(isa, {}, threads));
    if (!only || std::string(only) != "cpu")
        if (Device::cuda_unusable().empty()) all.push_back(Device::cuda(0, {}, threads));
    return all;
}

const Counters* test_counters(Device device) {
    static std::map<Backend, DeviceValue<Counters>> counters;
    return counters.try_emplace(device.backend(), device, test_position).first->second.data();
}

std::vector<Activation> activations() {
    std::vector<Activation> all;
    for (const ActivationRow& row : activation_rows) all.push_back({row.kind, row.slope ? real(0.25) : real(0)});
    return all;
}

Draw kept_values(Activation act) {
    const ActivationRow& row = row_of(act.kind);
    return row.needs_input ? Draw{-4, 4} : row.low == 0 && row.high == 1 ? probability : Draw{-0.95, 0.95, {0}};
}

std::string text(Activation a) { return row_of(a.kind).name; }

std::string text(const RowsShape& s) { return std::to_string(s.rows) + "x" + std::to_string(s.cols); }

std::string text(const ConvShape& s) {
    const auto n = [](int64_t v) { return std::to_string(v); };
    return n(s.N) + "x" + n(s.H) + "x" + n(s.W) + "x" + n(s.C) + " to " + n(s.P) + "x" + n(s.Q) + "x" + n(s.OC) + " kernel " +
           n(s.R) + "x" + n(s.S) + " stride " + n(s.stride) + " padding " + n(s.padding);
}

std::vector<ConvShape> conv_shapes() {
    struct Row {
        int64_t N, H, W, C, OC, R, S, stride, padding;
    };
    // If (H + 2 padding - R) is not a multiple of the stride, the adjoint has an output padding.
    static const Row rows[] = {
        {1, 1, 1, 1, 1, 1, 1, 1, 0},      // all sizes 1
        {2, 5, 7, 3, 2, 3, 3, 1, 1},      // at most 4 output channels: dot products
        {3, 7, 5, 1, 5, 2, 3, 1, 0},      // 5 output channels: tiles
        {2, 6, 5, 5, 4, 3, 2, 2, 1},      // the same switch in the adjoint
        {2, 11, 7, 2, 3, 3, 3, 2, 1},     //
        {1, 13, 11, 3, 7, 5, 5, 2, 2},    //
        {2, 7, 7, 5, 1, 7, 7, 1, 0},      // 7x7 to 1x1
        {2, 7, 7, 5, 11, 7, 7, 3, 3},     //
        {1, 9, 8, 3, 5, 4, 4, 2, 1},      // output padding on one axis
        {2, 11, 13, 7, 3, 3, 2, 3, 1},    //
        {2, 4, 4, 11, 13, 4, 4, 1, 0},    // latent to image, in the adjoint
        {2, 3, 3, 4, 5, 1, 1, 2, 0},      // stride larger than the kernel: unused pixels
        {2, 7, 7, 5, 6, 2, 2, 3, 0},      //
        {1, 3, 2, 2, 3, 2, 2, 1, 3},      // padding larger than the kernel: outputs of padding only
        {2, 5, 5, 17, 33, 3, 3, 1, 1},    // full panels and a partial one
        {3, 6, 6, 33, 17, 4, 4, 2, 1},    //
        {2, 3, 3, 64, 70, 3, 3, 1, 1},    // K larger than one block
        {1, 4, 4, 70, 64, 4, 4, 2, 1},    //
        {2, 10, 9, 3, 64, 5, 5, 2, 2},    // few channels to many, and many to few
        {2, 10, 9, 64, 3, 5, 5, 2, 2},    //
        {3, 28, 28, 2, 6, 3, 3, 1, 1},    // many pixels: several tasks, sliced filter gradient
        {6, 16, 16, 20, 70, 4, 4, 2, 1},  //
        {40, 7, 5, 1, 1, 3, 3, 1, 1},     // many small samples
        // 4x4 filters, stride 2, channels a multiple of 16: Winograd, where tiles of 4x4 outputs fit well
        {1, 8, 8, 32, 32, 4, 4, 2, 1},    // one tile
        {5, 8, 8, 48, 32, 4, 4, 2, 1},    // 192 channels after space-to-depth: panels span parities
        {3, 14, 15, 32, 48, 4, 4, 2, 1},  // 7x7 outputs: one 7x7 tile; output padding
        {1, 26, 28, 32, 32, 4, 4, 2, 1},  // 13x14 outputs: four 7x7 tiles, partial at the edge
        {2, 14, 8, 48, 48, 4, 4, 2, 1},   // 7x4 outputs: partial 4x4 tiles
        {2, 10, 10, 80, 64, 4, 4, 2, 1},  // 5x5 outputs: 4x4 tiles would waste too much
        {2, 8, 8, 31, 33, 4, 4, 2, 1},    // odd channels
        {2, 8, 8, 16, 64, 4, 4, 2, 1},    // few channels
        {3, 18, 10, 32, 32, 4, 4, 2, 0},  // padding 0
        {2, 14, 14, 48, 48, 4, 4, 2, 2},  // padding 2
        {2, 9, 8, 288, 32, 4, 4, 2, 1},   // K larger than a run of channels and than one block
        {70, 8, 8, 32, 32, 4, 4, 2, 1},   // two chunks of tiles
    };
    std::vector<ConvShape> shapes;
    for (const Row& r : rows) {
        ConvShape s{r.N, r.H, r.W, r.C, 0, 0, r.OC, r.R, r.S, r.stride, r.padding};
        s.P = (r.H + 2 * r.padding - r.R) / r.stride + 1;
        s.Q = (r.W + 2 * r.padding - r.S) / r.stride + 1;
        shapes.push_back(s);
    }
    return shapes;
}

const std::vector<OpCase>& op_cases() {
    static const std::vector<OpCase> all = [] {
        std::vector<OpCase> cases;
        add_pointwise_cases(cases);
        add_layer_cases(cases);
        keep_selected(cases);
        return cases;
    }();
    return all;
}

}  // namespace gannet::tests
