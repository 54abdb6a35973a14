// Layers without arithmetic, and those that hold lists.
#include "base/error.h"
#include "engine/nn/registry.h"

namespace gannet {

using config::Kind;

namespace {

// Between images and vectors, vectors are in (C,H,W) order as in torch.
Tensor to_vector(const Tensor& x, const SampleShape& in) {
    const int64_t n = x.dim(0), pixels = in.H * in.W;
    if (pixels == 1 || in.C == 1) return reshape(x, {n, in.size()});
    return transpose(x, {n, pixels, in.C}, {n, in.size()});
}

Tensor to_image(const Tensor& x, const SampleShape& out) {
    const int64_t n = x.dim(0), pixels = out.H * out.W;
    if (pixels == 1 || out.C == 1) return reshape(x, out.batch(n));
    return transpose(x, {n, out.C, pixels}, out.batch(n));
}

void build_flatten(Layer& layer, const config::LayerConfig&, BuildContext&) {
    const SampleShape in = layer.in;
    layer.out = {1, 1, in.size(), true};
    layer.forward = [in](const Tensor& x, const Context&, const Fused&) { return to_vector(x, in); };
}

void build_reshape(Layer& layer, const config::LayerConfig& config, BuildContext& context) {
    const SampleShape in = layer.in;
    if (config.keys.is_image("shape")) {
        layer.out = context.image;
    } else {
        const std::vector<int64_t> shape = config.keys.integers("shape");
        if (shape.size() != 1 && shape.size() != 3)
            throw Error("a shape of " + std::to_string(shape.size()) + " numbers", config.keys.where("shape"),
                        "use [C, H, W], [F] or \"image\"");
        layer.out = shape.size() == 1 ? SampleShape{1, 1, shape[0], true} : SampleShape{shape[1], shape[2], shape[0], false};
    }
    const double values = double(layer.out.H) * double(layer.out.W) * double(layer.out.C);  // may be too many to count
    if (values != double(in.size()))
        throw Error("reshape of " + in.str() + ", " + std::to_string(in.size()) + " values, to " + layer.out.str() + ", " +
                        config::number_text(values) + " values",
                    config.keys.where("shape"), "change the shape or the layer before it");
    const SampleShape out = layer.out;
    layer.forward = [in, out](const Tensor& x, const Context&, const Fused&) {
        const Tensor v = in.vector ? x : to_vector(x, in);
        return out.vector ? v : to_image(v, out);
    };
}

void build_upsample(Layer& layer, const config::LayerConfig& config, BuildContext&) {
    const int64_t scale = config.keys.integer("scale");
    const SampleShape in = as_image(layer.in);
    layer.out = {in.H * scale, in.W * scale, in.C, false};
    layer.note = "x" + std::to_string(scale);
    layer.forward = [in, scale](const Tensor& x, const Context&, const Fused&) {
        return upsample_nearest(reshape(x, in.batch(x.dim(0))), scale);
    };
}

void build_residual(Layer& layer, const config::LayerConfig& config, BuildContext& context) {
    const SampleShape in = layer.in;
    ++context.leaf;  // the container itself comes before what it holds
    auto main = std::make_shared<Sequence>(build_sequence(config.lists.at("main"), layer.name + ".main", in, context));
    auto shortcut =
        std::make_shared<Sequence>(build_sequence(config.lists.at("shortcut"), layer.name + ".shortcut", in, context));
    --context.leaf;
    if (main->out != shortcut->out)
        throw Error("residual: main gives " + main->out.str() + ", shortcut gives " + shortcut->out.str(), config.keys.where(),
                    "let both end in the same shape, for instance by a conv2d with kernel 1 in the shortcut");
    layer.out = main->out;
    layer.children = {{"main", *main}, {"shortcut", *shortcut}};
    layer.forward = [main, shortcut](const Tensor& x, const Context& pass, const Fused&) {
        const Tensor y = main->forward(x, pass);
        return add(y, shortcut->forward(x, pass));
    };
}

}  // namespace

LayerKind upsample_layer() {
    return {{"upsample",
             "Repeats each pixel `scale` x `scale` times (nearest neighbour).",
             {{.name = "scale", .kind = Kind::size, .doc = "factor of height and width", .otherwise = 2, .max = 64}}},
            build_upsample};
}

LayerKind flatten_layer() { return {{"flatten", "An image as a vector, in (C,H,W) order.", {}}, build_flatten}; }

LayerKind reshape_layer() {
    return {{"reshape",
             "The same values in another shape, in (C,H,W) order.",
             {{.name = "shape",
               .kind = Kind::integers,
               .doc = "`[C, H, W]`, `[F]` or `\"image\"`: the data's shape",
               .required = true}}},
            build_reshape};
}

LayerKind repeat_layer() {
    return {{"repeat",
             "A list of layers several times. It is expanded before anything is built or numbered.",
             {{.name = "times", .kind = Kind::size, .doc = "how often", .required = true, .max = 10000},
              {.name = "widen",
               .kind = Kind::number,
               .doc = "each round multiplies `channels` and `units` inside by this",
               .otherwise = 1,
               .min = 1e-3,
               .max = 1e3},
              {.name = "layers", .kind = Kind::layers, .doc = "the list", .required = true}}},
            nullptr};
}

LayerKind residual_layer() {
    return {{"residual",
             "`main(x) + shortcut(x)`: two lists that end in the same shape.",
             {{.name = "main", .kind = Kind::layers, .doc = "the layers", .required = true},
              {.name = "shortcut",
               .kind = Kind::layers,
               .doc = "the other way round them; `[]` is x itself",
               .otherwise = json::List{}}}},
            build_residual};
}

}  // namespace gannet
