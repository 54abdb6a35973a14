#include "base/error.h"
#include "engine/nn/registry.h"

namespace gannet {

using config::Key;
using config::Kind;

namespace {

const std::vector<std::string> inits = {"torch", "normal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal"};

Key init_key(const char* section) {
    return {.name = "init",
            .kind = Kind::text,
            .doc = std::string("initial weights; unless given, `init.") + section + "`",
            .choices = inits};
}

// Weight and bias of a layer with `rows` x R x S x `cols` weights.
struct Weights {
    std::shared_ptr<Parameter> w, b;
};
Weights add_weights(Layer& layer, const config::LayerConfig& config, const BuildContext& context, const char* section,
                    Shape shape, double fan_in, double fan_out, int64_t outputs) {
    const config::Object& defaults = context.options.init;
    const std::string kind = config.keys.has("init") ? config.keys.text("init") : defaults.text(section);
    Weights weights;
    TransposeShape layout{1, 1, shape.elements()};
    Shape torch_shape = shape;
    if (shape.size() == 4) {  // (A,R,S,B) inside, (A,B,R,S) outside
        layout = {shape[0], shape[1] * shape[2], shape[3]};
        torch_shape = {shape[0], shape[3], shape[1], shape[2]};
    }
    weights.w =
        add_parameter(layer, "weight", shape, torch_shape, layout, weight_init(kind, fan_in, fan_out, defaults.number("std")));
    if (config.keys.boolean("bias"))
        weights.b = add_parameter(layer, "bias", {outputs}, {outputs}, {1, 1, outputs}, bias_init(defaults.text("bias"), fan_in));
    return weights;
}

Tensor value_or_absent(const std::shared_ptr<Parameter>& parameter) { return parameter ? parameter->value : Tensor(); }

std::string describe(int64_t kernel, int64_t stride, int64_t padding) {
    std::string text = std::to_string(kernel) + "x" + std::to_string(kernel);
    if (stride != 1) text += " stride " + std::to_string(stride);
    if (padding != 0) text += " padding " + std::to_string(padding);
    return text;
}

[[noreturn]] void no_output(const Layer& layer, const config::LayerConfig& config, int64_t kernel, int64_t H, int64_t W) {
    throw Error("'" + layer.type + "' with kernel " + std::to_string(kernel) + " makes " + std::to_string(H) + "x" +
                    std::to_string(W) + " of its input " + layer.in.str(),
                config.keys.where("kernel"), "use a smaller kernel, a smaller stride or more padding");
}

void build_linear(Layer& layer, const config::LayerConfig& config, BuildContext& context) {
    need_vector(layer, config);
    const int64_t in = layer.in.C, out = size_or(config.keys, "units", context.image.size());
    layer.out = {1, 1, out, true};
    layer.flops = 2.0 * double(in) * double(out);
    const Weights weights = add_weights(layer, config, context, "linear", {out, in}, double(in), double(out), out);
    layer.forward = [weights](const Tensor& x, const Context&, const Fused& fused) {
        return linear(x, weights.w->value, value_or_absent(weights.b), fused.act, fused.moments_out);
    };
}

void build_conv2d(Layer& layer, const config::LayerConfig& config, BuildContext& context) {
    const auto& keys = config.keys;
    const SampleShape in = as_image(layer.in);
    ConvShape s{.N = 0, .H = in.H, .W = in.W, .C = in.C, .OC = size_or(keys, "channels", context.image.C)};
    s.R = s.S = keys.integer("kernel");
    s.stride = keys.integer("stride");
    s.padding = keys.integer("padding");
    if (s.H + 2 * s.padding < s.R || s.W + 2 * s.padding < s.S) no_output(layer, config, s.R, 0, 0);
    s.P = (s.H + 2 * s.padding - s.R) / s.stride + 1;
    s.Q = (s.W + 2 * s.padding - s.S) / s.stride + 1;
    layer.out = {s.P, s.Q, s.OC, false};
    layer.note = describe(s.R, s.stride, s.padding);
    layer.flops = 2.0 * double(s.P * s.Q * s.OC) * double(s.R * s.S * s.C);
    const Weights weights = add_weights(layer, config, context, "conv", {s.OC, s.R, s.S, s.C}, double(s.C * s.R * s.S),
                                        double(s.OC * s.R * s.S), s.OC);
    layer.forward = [weights, s](const Tensor& x, const Context&, const Fused& fused) {
        ConvShape t = s;
        t.N = x.dim(0);
        return conv2d(reshape(x, {t.N, t.H, t.W, t.C}), weights.w->value, value_or_absent(weights.b), t, fused.act,
                      fused.moments_out);
    };
}

// A transposed convolution is the data gradient of a convolution that goes the other way: its input is that one's output.
void build_conv_transpose2d(Layer& layer, const config::LayerConfig& config, BuildContext& context) {
    const auto& keys = config.keys;
    const SampleShape in = as_image(layer.in);
    ConvShape s{.N = 0, .C = size_or(keys, "channels", context.image.C), .P = in.H, .Q = in.W, .OC = in.C};
    s.R = s.S = keys.integer("kernel");
    s.stride = keys.integer("stride");
    s.padding = keys.integer("padding");
    const int64_t output_padding = keys.integer("output_padding");
    if (output_padding >= s.stride)
        throw Error("output_padding " + std::to_string(output_padding) + " is not below stride " + std::to_string(s.stride),
                    keys.where("output_padding"), "use output_padding < stride");
    s.H = (s.P - 1) * s.stride - 2 * s.padding + s.R + output_padding;
    s.W = (s.Q - 1) * s.stride - 2 * s.padding + s.S + output_padding;
    if (s.H < 1 || s.W < 1) no_output(layer, config, s.R, s.H, s.W);
    layer.out = {s.H, s.W, s.C, false};
    layer.note = describe(s.R, s.stride, s.padding);
    layer.flops = 2.0 * double(s.P * s.Q * s.OC) * double(s.R * s.S * s.C);
    // torch takes a transposed convolution's fan-in from the filter's second axis: the output channels
    const Weights weights = add_weights(layer, config, context, "conv", {s.OC, s.R, s.S, s.C}, double(s.C * s.R * s.S),
                                        double(s.OC * s.R * s.S), s.C);
    layer.forward = [weights, s](const Tensor& x, const Context&, const Fused& fused) {
        ConvShape t = s;
        t.N = x.dim(0);
        return conv2d_dgrad(reshape(x, {t.N, t.P, t.Q, t.OC}), weights.w->value, value_or_absent(weights.b), t, fused.act,
                            fused.moments_out);
    };
}

constexpr double most = 65536;  // channels, units, kernel

std::vector<Key> conv_keys() {
    return {
        {.name = "channels", .kind = Kind::size, .doc = "output channels, or `\"image\"`: the data's", .required = true},
        {.name = "kernel", .kind = Kind::size, .doc = "height and width of the filter", .required = true, .max = 1024},
        {.name = "stride", .kind = Kind::size, .doc = "", .otherwise = 1, .max = 1024},
        {.name = "padding",
         .kind = Kind::integer,
         .doc = "zeros around the image, on each side",
         .otherwise = 0,
         .min = 0,
         .max = 1024},
        {.name = "bias", .kind = Kind::boolean, .doc = "adds a learned value to each channel", .otherwise = true},
        init_key("conv"),
    };
}

}  // namespace

LayerKind linear_layer() {
    return {{"linear",
             "Every output is a weighted sum of all inputs: `y = x W^T + b`. Needs a vector.",
             {{.name = "units",
               .kind = Kind::size,
               .doc = "outputs, or `\"image\"`: as many as an image has values",
               .required = true,
               .max = most * most},
              {.name = "bias", .kind = Kind::boolean, .doc = "adds a learned value to each output", .otherwise = true},
              init_key("linear")}},
            build_linear};
}

LayerKind conv2d_layer() {
    auto keys = conv_keys();
    keys[2].doc = "step between outputs: 2 halves the image";
    return {{"conv2d", "Convolution, output size `(in + 2 padding - kernel) / stride + 1`, rounded down.", keys}, build_conv2d};
}

LayerKind conv_transpose2d_layer() {
    auto keys = conv_keys();
    keys[2].doc = "step between inputs: 2 doubles the image";
    keys.insert(keys.begin() + 4, {.name = "output_padding",
                                   .kind = Kind::integer,
                                   .doc = "rows and columns added at the bottom and right; below `stride`",
                                   .otherwise = 0,
                                   .min = 0,
                                   .max = 1024});
    return {{"conv_transpose2d",
             "Transposed convolution, output size `(in - 1) stride - 2 padding + kernel + output_padding`. A vector of F values "
             "enters as F "
             "channels of 1x1.",
             keys},
            build_conv_transpose2d};
}

}  // namespace gannet
