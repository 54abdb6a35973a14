// Matrix products and convolutions.
#include <cmath>

#include "base/error.h"
#include "engine/config/keys.h"
#include "engine/nn/registry.h"

namespace gannet {

using config::Key;
using config::WeightRule;

namespace {

Key init_key(const char* section) {
    const std::string doc = std::string("initial weights; default: `init.") + section + "`";
    return config::word("init", {}, config::words(config::weight_rules), doc.c_str());
}

Init weight_init(WeightRule rule, double fan_in, double fan_out, double std) {
    const auto uniform = [](double bound) { return Init{Init::Kind::uniform, -bound, bound}; };
    const auto normal = [](double deviation) { return Init{Init::Kind::normal, 0, deviation}; };
    switch (rule) {
        case WeightRule::torch: return uniform(1 / std::sqrt(fan_in));  // kaiming_uniform with a = sqrt(5)
        case WeightRule::normal: return normal(std);
        case WeightRule::glorot_uniform: return uniform(std::sqrt(6 / (fan_in + fan_out)));
        case WeightRule::glorot_normal: return normal(std::sqrt(2 / (fan_in + fan_out)));
        case WeightRule::he_uniform: return uniform(std::sqrt(6 / fan_in));
        case WeightRule::he_normal: return normal(std::sqrt(2 / fan_in));
    }
    return {};
}

Init bias_init(bool zero, double fan_in) {
    if (zero) return {};
    return {Init::Kind::uniform, -1 / std::sqrt(fan_in), 1 / std::sqrt(fan_in)};
}

// A weight of shape (outputs, ...) and, unless `bias` is false, a bias; parameters 0 and 1.
struct Product : Module {
    using Module::Module;

    // `rule`: unless the keys name another.
    void add_weights(const Site& site, WeightRule rule, Shape shape, double fan_in, double fan_out, int64_t outputs) {
        const config::InitConfig& init = site.context.options.init;
        if (site.keys().has("init")) rule = config::choice(config::weight_rules, site.keys().text("init"));
        TransposeShape layout{1, 1, shape.elements()};
        Shape torch_shape = shape;
        if (shape.size() == 4) {  // (A,R,S,B) inside, (A,B,R,S) outside
            layout = {shape[0], shape[1] * shape[2], shape[3]};
            torch_shape = {shape[0], shape[3], shape[1], shape[2]};
        }
        add_parameter(site, "weight", shape, torch_shape, layout, weight_init(rule, fan_in, fan_out, init.std));
        if (site.keys().boolean("bias"))
            add_parameter(site, "bias", {outputs}, {outputs}, {1, 1, outputs}, bias_init(init.zero_biases, fan_in));
    }
    bool has_bias() const { return parameters.size() > 1; }
    Description described(json::Members attributes, const std::string& note, double flops) const {
        const double values = double(in.size()) + double(out.size());
        return {std::move(attributes), note, flops, values, values};
    }
};

struct Linear final : Product {
    explicit Linear(const Site& site) : Product(site) {
        need_vector(site);
        const int64_t units = site.size_or("units", site.context.image.size());
        out = {1, 1, units, true};
        add_weights(site, site.context.options.init.linear, {units, in.C}, double(in.C), double(units), units);
    }
    Tensor forward(const Inputs& inputs, const Pass& pass, const Fused& fused) const override {
        return linear(inputs.x, parameter(pass, 0), parameter(pass, 1), fused.act, fused.moments_out);
    }
    Description describe() const override {
        return described({{"units", out.C}, {"bias", has_bias()}}, "", 2.0 * double(in.C) * double(out.C));
    }
};

// Both convolutions: `shape` is that of the convolution from H x W to P x Q.
struct Convolution : Product {
    explicit Convolution(const Site& site) : Product(site) {
        shape.R = shape.S = site.keys().integer("kernel");
        shape.stride = site.keys().integer("stride");
        shape.padding = site.keys().integer("padding");
    }
    Description describe() const override {
        const ConvShape& s = shape;
        std::string note = std::to_string(s.R) + "x" + std::to_string(s.S);
        if (s.stride != 1) note += " stride " + std::to_string(s.stride);
        if (s.padding != 0) note += " padding " + std::to_string(s.padding);
        return described(
            {{"channels", out.C}, {"kernel", s.R}, {"stride", s.stride}, {"padding", s.padding}, {"bias", has_bias()}}, note,
            2.0 * double(s.P * s.Q * s.OC) * double(s.R * s.S * s.C));
    }
    // as in torch, the fan-in of a transposed convolution comes from the filter's second axis: the output channels
    void finish(const Site& site, const SampleShape& output) {
        const ConvShape& s = shape;
        out = output;
        add_weights(site, site.context.options.init.conv, {s.OC, s.R, s.S, s.C}, double(s.C * s.R * s.S),
                    double(s.OC * s.R * s.S), out.C);
    }
    ConvShape of(int64_t N) const {
        ConvShape s = shape;
        s.N = N;
        return s;
    }
    ConvShape shape{};
};

struct Conv2d final : Convolution {
    explicit Conv2d(const Site& site) : Convolution(site) {
        const SampleShape image = as_image(in);
        ConvShape& s = shape;
        s.H = image.H, s.W = image.W, s.C = image.C, s.OC = site.size_or("channels", site.context.image.C);
        if (s.H + 2 * s.padding < s.R || s.W + 2 * s.padding < s.S)
            throw Error("'conv2d' with kernel " + std::to_string(s.R) + " is larger than its padded input: " + in.str() +
                            ", padding " + std::to_string(s.padding),
                        site.keys().where("kernel"), "use a smaller kernel or more padding");
        s.P = (s.H + 2 * s.padding - s.R) / s.stride + 1;
        s.Q = (s.W + 2 * s.padding - s.S) / s.stride + 1;
        finish(site, {s.P, s.Q, s.OC, false});
    }
    Tensor forward(const Inputs& inputs, const Pass& pass, const Fused& fused) const override {
        const ConvShape s = of(inputs.x.dim(0));
        return conv2d(reshape(inputs.x, {s.N, s.H, s.W, s.C}), parameter(pass, 0), parameter(pass, 1), s, fused.act,
                      fused.moments_out);
    }
};

// A transposed convolution is the data gradient of a convolution in the other direction: its input is that convolution's output.
struct ConvTranspose2d final : Convolution {
    explicit ConvTranspose2d(const Site& site) : Convolution(site), output_padding(site.keys().integer("output_padding")) {
        const SampleShape image = as_image(in);
        ConvShape& s = shape;
        s.P = image.H, s.Q = image.W, s.OC = image.C, s.C = site.size_or("channels", site.context.image.C);
        if (output_padding >= s.stride)
            throw Error("output_padding " + std::to_string(output_padding) + " is not below stride " + std::to_string(s.stride),
                        site.keys().where("output_padding"), "use output_padding < stride");
        s.H = (s.P - 1) * s.stride - 2 * s.padding + s.R + output_padding;
        s.W = (s.Q - 1) * s.stride - 2 * s.padding + s.S + output_padding;
        if (s.H < 1 || s.W < 1)
            throw Error("'conv_transpose2d' with kernel " + std::to_string(s.R) + " has an output of " + std::to_string(s.H) +
                            "x" + std::to_string(s.W) + " for its input " + in.str(),
                        site.keys().where("kernel"), "use a larger kernel or less padding");
        finish(site, {s.H, s.W, s.C, false});
    }
    Tensor forward(const Inputs& inputs, const Pass& pass, const Fused& fused) const override {
        const ConvShape s = of(inputs.x.dim(0));
        return conv2d_dgrad(reshape(inputs.x, {s.N, s.P, s.Q, s.OC}), parameter(pass, 0), parameter(pass, 1), s, fused.act,
                            fused.moments_out);
    }
    Description describe() const override {
        Description d = Convolution::describe();
        d.attributes.emplace_back("output_padding", output_padding);
        return d;
    }
    int64_t output_padding;
};

constexpr Traits product{.family = Family::product, .linear = true};

std::vector<Key> conv_keys(const char* stride) {
    return {
        required(config::width("channels", {}, config::no_limit, "output channels, or `\"image\"`: those of the data")),
        required(config::size("kernel", {}, 1024, "height and width of the filter")),
        config::size("stride", 1, 1024, stride),
        config::integer("padding", 0, 0, 1024, "zeros around the image, on each side"),
        config::boolean("bias", true, "add a learned value to each channel"),
        init_key("conv"),
    };
}

}  // namespace

std::vector<LayerKind> product_layers() {
    std::vector<Key> transposed = conv_keys("step between inputs: 2 doubles the image");
    transposed.insert(transposed.begin() + 4, config::integer("output_padding", 0, 0, 1024,
                                                              "rows and columns added at the bottom and right; below `stride`"));
    return {
        {{"linear",
          "Every output is a weighted sum of all inputs: `y = x W^T + b`. The input must be a vector.",
          {required(config::width("units", {}, 65536.0 * 65536, "outputs, or `\"image\"`: the number of values of an image")),
           config::boolean("bias", true, "add a learned value to each output"), init_key("linear")}},
         product,
         make_module<Linear>},
        {{"conv2d", "Convolution. The output size is `(in + 2 padding - kernel) / stride + 1`, rounded down.",
          conv_keys("step between outputs: 2 halves the image")},
         product,
         make_module<Conv2d>},
        {{"conv_transpose2d",
          "Transposed convolution. The output size is `(in - 1) stride - 2 padding + kernel + output_padding`. A vector of F "
          "values is treated as F channels of 1x1.",
          transposed},
         product,
         make_module<ConvTranspose2d>},
    };
}

}  // namespace gannet
