// Layers without arithmetic, and those that hold lists.
#include "base/error.h"
#include "engine/config/keys.h"
#include "engine/nn/registry.h"

namespace gannet {

namespace {

// Conversions between images and vectors. Vectors are in (C,H,W) order as in torch.
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

// A transpose, unless the order of the values is the same in both.
Description arrangement(json::Members attributes, const SampleShape& in, const SampleShape& out) {
    const auto moved = [](const SampleShape& s) { return s.vector || s.H * s.W == 1 || s.C == 1 ? 0.0 : 2 * double(s.size()); };
    const double values = moved(in) + moved(out);
    return {std::move(attributes), "", 0, values, values};
}

struct Flatten final : Module {
    explicit Flatten(const Site& site) : Module(site) { out = {1, 1, in.size(), true}; }
    Tensor forward(const Inputs& inputs, const Pass&, const Fused&) const override { return to_vector(inputs.x, in); }
    Description describe() const override { return arrangement({}, in, out); }
};

struct Reshape final : Module {
    explicit Reshape(const Site& site) : Module(site) {
        if (site.keys().is_image("shape")) {
            out = site.context.image;
        } else {
            const std::vector<int64_t> shape = site.keys().integers("shape");
            if (shape.size() != 1 && shape.size() != 3)
                throw Error("a shape of " + std::to_string(shape.size()) + " numbers", site.keys().where("shape"),
                            "use [C, H, W], [F] or \"image\"");
            out = shape.size() == 1 ? SampleShape{1, 1, shape[0], true} : SampleShape{shape[1], shape[2], shape[0], false};
        }
        const double values = double(out.H) * double(out.W) * double(out.C);  // may overflow
        const auto count = [](double n) { return config::number_text(n) + (n == 1 ? " value" : " values"); };
        if (values != double(in.size()))
            throw Error("reshape of " + in.str() + ", " + count(double(in.size())) + ", to " + out.str() + ", " + count(values),
                        site.keys().where("shape"), "change the shape or the layer before it");
    }
    Tensor forward(const Inputs& inputs, const Pass&, const Fused&) const override {
        const Tensor v = in.vector ? inputs.x : to_vector(inputs.x, in);
        return out.vector ? v : to_image(v, out);
    }
    Description describe() const override {
        const Shape shape = out.torch_shape();
        return arrangement({{"shape", json::List(shape.begin(), shape.end())}}, in, out);
    }
};

struct Upsample final : Module {
    explicit Upsample(const Site& site) : Module(site), scale(site.keys().integer("scale")), image(as_image(in)) {
        out = {image.H * scale, image.W * scale, image.C, false};
    }
    Tensor forward(const Inputs& inputs, const Pass&, const Fused&) const override {
        return upsample_nearest(reshape(inputs.x, image.batch(inputs.x.dim(0))), scale);
    }
    Description describe() const override {
        const double values = double(in.size()) + double(out.size());
        return {{{"scale", scale}}, "x" + std::to_string(scale), 0, values, values};
    }
    int64_t scale;
    SampleShape image;  // of its input
};

struct Residual final : Module {
    explicit Residual(const Site& site) : Module(site) {
        ++site.context.leaf;  // the container itself comes before what it holds
        for (const char* list : {"main", "shortcut"})
            children.push_back({list, build_sequence(site.config.lists.at(list), name + "." + list, in, site.context)});
        --site.context.leaf;
        out = children[0].layers.out;
        if (out != children[1].layers.out)
            throw Error("residual: main gives " + out.str() + ", shortcut gives " + children[1].layers.out.str(),
                        site.keys().where(),
                        "give both the same output shape, for instance with a conv2d with kernel 1 in the shortcut");
    }
    Tensor forward(const Inputs& inputs, const Pass& pass, const Fused&) const override {
        const Tensor y = children[0].layers.forward(inputs, pass);
        return add(y, children[1].layers.forward(inputs, pass));
    }
    Description describe() const override { return {.forward_values = 3 * double(out.size())}; }
};

constexpr Traits arranges{.family = Family::arrangement, .linear = true};

}  // namespace

std::vector<LayerKind> shape_layers() {
    return {
        {{"upsample",
          "Repeats each pixel `scale` x `scale` times (nearest neighbour).",
          {config::size("scale", 2, 64, "factor of height and width")}},
         {.linear = true},
         make_module<Upsample>},
        {{"flatten", "Turns an image into a vector, in (C,H,W) order.", {}}, arranges, make_module<Flatten>},
        {{"reshape",
          "Gives the same values another shape, in (C,H,W) order.",
          {{.name = "shape",
            .kind = config::Kind::integers,
            .doc = "`[C, H, W]`, `[F]` or `\"image\"`, the shape of the data",
            .required = true}}},
         arranges,
         make_module<Reshape>},
        {{"repeat",
          "Repeats a list of layers. It is expanded before layers are numbered and built.",
          {required(config::size("times", {}, 10000, "number of repetitions")),
           config::number("widen", 1.0, 1e-3, 1e3, "each repetition multiplies `channels` and `units` inside by this factor"),
           required(config::layers("layers", "the list of layers"))}},
         {.repeats = true}},
        {{"residual",
          "`main(x) + shortcut(x)`: two lists with the same output shape.",
          {required(config::layers("main", "the layers of the main path")),
           config::layers("shortcut", "the layers of the shortcut; `[]` is the identity", json::List{})}},
         {},
         make_module<Residual>},
    };
}

}  // namespace gannet
