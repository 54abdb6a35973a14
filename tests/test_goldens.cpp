// Ops compared with PyTorch: values, gradients and second gradients from tests/goldens/ops.safetensors (tools/make_goldens.py;
// names in tools/README.md). Images are NCHW in the file and NHWC here.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/safetensors.h"
#include "engine/autograd/ops.h"

using namespace gannet;
using Json = nlohmann::json;

namespace {

// Converts PyTorch's shapes and values to Gannet's, by the name of the layout.
struct Layout {
    std::vector<int> order;  // axis k is axis order[k] in PyTorch; empty: the same
};
Layout layout_of(const std::string& name) {
    if (name == "NCHW" || name == "OIHW" || name == "IOHW")
        return {name == "IOHW" ? std::vector<int>{0, 2, 3, 1} : std::vector<int>{0, 2, 3, 1}};
    if (name == "CHW") return {{1, 2, 0}};
    return {};
}

Tensor to_ours(const Array& array, const std::string& layout) {
    const std::vector<double> from = values_of<double>(array);
    const std::vector<int> order = layout_of(layout).order;
    Shape shape(array.shape.begin(), array.shape.end());
    std::vector<real> values(from.begin(), from.end());
    if (!order.empty()) {
        Shape ours;
        for (int axis : order) ours.push_back(shape[std::size_t(axis)]);
        std::vector<int64_t> strides(shape.size(), 1);
        for (std::size_t k = shape.size() - 1; k > 0; --k) strides[k - 1] = strides[k] * shape[k];
        for (int64_t e = 0; e < int64_t(values.size()); ++e) {
            int64_t rest = e, place = 0;
            for (std::size_t k = ours.size(); k-- > 0; rest /= ours[k]) place += rest % ours[k] * strides[std::size_t(order[k])];
            values[std::size_t(e)] = real(from[std::size_t(place)]);
        }
        shape = ours;
    }
    return Tensor::from(values, shape);
}

struct Case {
    std::string name;
    Json about;
    const Safetensors& file;

    double number(const char* key) const { return about["params"][key].get<double>(); }
    Tensor get(const std::string& what, const std::string& layout) const {
        const Array* array = file.find(name + "." + what);
        REQUIRE_MESSAGE(array, name, ".", what, " is missing");
        return to_ours(*array, layout);
    }
    Tensors inputs() const {
        Tensors xs;
        for (std::size_t k = 0; k < about["inputs"].size(); ++k)
            xs.push_back(get("in." + std::to_string(k), about["layouts"][k]).set_requires_grad());
        return xs;
    }
    Tensors constants() const {
        Tensors xs;
        for (std::size_t k = 0; k < about["constants"].size(); ++k)
            xs.push_back(get("const." + std::to_string(k), about["constant_layouts"][k]));
        return xs;
    }
    Activation activation() const {
        const std::string kind = about["params"]["activation"];
        const auto* row = std::find_if(std::begin(activation_rows), std::end(activation_rows),
                                       [&](const ActivationRow& r) { return r.name == kind; });
        REQUIRE_MESSAGE(row != std::end(activation_rows), name, " ", kind);
        return {row->kind, real(number("slope"))};
    }
    // The tolerance is relative to the largest value of the tensor.
    void check(const Tensor& got, const std::string& what, const std::string& layout, double tolerance) const {
        const std::vector<real> expected = get(what, layout).to_host(),
                                values = got ? got.to_host() : std::vector<real>(expected.size(), 0);
        REQUIRE_MESSAGE(values.size() == expected.size(), name, " ", what);
        double largest = 1e-3, worst = 0;
        for (real v : expected) largest = std::max(largest, std::fabs(double(v)));
        for (std::size_t e = 0; e < values.size(); ++e) {
            const double d = std::fabs(double(values[e]) - expected[e]);
            worst = d <= worst ? worst : std::isnan(d) ? INFINITY : d;
        }
        CHECK_MESSAGE(worst <= tolerance * largest, name, " ", what, ": off by ", worst, " of ", largest);
    }
};

using Op = std::function<Tensors(const Case&, const Tensors&)>;

// The shape of a convolution from its image (N,H,W,C) and the extents of its output.
ConvShape conv_shape(const Case& c, const Tensor& image, int64_t P, int64_t Q, int64_t OC) {
    const int64_t kernel = int64_t(c.number("kernel"));
    return {image.dim(0),
            image.dim(1),
            image.dim(2),
            image.dim(3),
            P,
            Q,
            OC,
            kernel,
            kernel,
            int64_t(c.number("stride")),
            int64_t(c.number("padding"))};
}

Tensors batch_norm_case(const Case& c, const Tensors& x) {
    const RowsShape s{x[0].size() / x[0].dim(-1), x[0].dim(-1)};
    Tensor moments;
    const Tensor y = batch_norm(x[0], x[1], x[2], s, real(c.number("eps")), c.activation(), &moments);
    std::vector<real> start(std::size_t(2 * s.cols), 0);
    std::fill(start.begin() + long(s.cols), start.end(), real(1));
    const Tensor running = Tensor::from(start, {2, s.cols});
    const RunningStats stats{running.data(), moments.data(), s, real(c.number("momentum"))};
    RUN(running.device(), running_stats_update, &stats, 1);
    return {y, running.rows(0, 1), running.rows(1, 1)};
}

RowsShape penalty_rows(const std::string& norm, const Tensor& g) {
    const int64_t rows = norm == "sample" ? g.dim(0) : norm == "channel" ? g.size() / g.dim(-1) : 1;
    return {rows, g.size() / rows};
}

Op loss_case(LossKind kind) {
    return [kind](const Case& c, const Tensors& x) {
        return Tensors{loss(x[0], {kind, real(c.number("target")), real(c.number("epsilon"))})};
    };
}

// The network CRITIC of make_goldens.py.
Tensor critic(const Tensors& p, const Tensor& x) {
    const Activation leaky{ActivationKind::leaky_relu, real(0.2)};
    const auto conv = [](const Tensor& in, const Tensor& w, const Tensor& b, int64_t stride, int64_t padding, Activation act) {
        const auto out = [&](int64_t extent, int64_t kernel) { return (extent + 2 * padding - kernel) / stride + 1; };
        return conv2d(in, w, b,
                      {in.dim(0), in.dim(1), in.dim(2), in.dim(3), out(in.dim(1), w.dim(1)), out(in.dim(2), w.dim(2)), w.dim(0),
                       w.dim(1), w.dim(2), stride, padding},
                      act);
    };
    Tensor y = conv(x, p[0], p[1], 2, 1, leaky);
    y = conv(y, p[2], {}, 2, 1, {});
    y = layer_norm(y, p[3], p[4], {y.dim(0), y.size() / y.dim(0)}, real(1e-5), leaky);
    y = transpose(y, {y.dim(0), y.dim(1) * y.dim(2), y.dim(3)}, {y.dim(0), y.size() / y.dim(0)});  // flatten in (C,H,W) order
    return linear(linear(y, p[5], p[6], {ActivationKind::tanh, 0}), p[7], p[8]);
}

Tensors critic_step(const Case& c, const Tensors& p) {
    const Tensors data = c.constants();
    const Tensor points = interpolate(data[0], data[1], data[2]).set_requires_grad();
    const Tensor g = grad({sum(critic(p, points))}, {points}, {}, {.create_graph = true, .into = {}})[0];
    const Tensor penalty =
        gradient_penalty(g, penalty_rows(c.about["params"]["norm"], g), real(c.number("target")), real(c.number("weight")));
    return {add(sub(mean(critic(p, data[1])), mean(critic(p, data[0]))), penalty)};
}

// Three updates by the optimizer kernels. Outputs are the parameter after each update and the final moments.
Tensors optimizer_case(const Case& c, const Tensors& in) {
    const std::string type = c.about["params"]["type"];
    const Device device = in[0].device();
    const Tensor w = Tensor::from(in[0].to_host(), in[0].shape()), m = Tensor::full(w.shape(), 0), v = Tensor::full(w.shape(), 0);
    const bool adam = type == "adam";
    const double beta1 = adam ? c.about["params"]["betas"][0].get<double>() : 0,
                 beta2 = adam ? c.about["params"]["betas"][1].get<double>() : 0;
    const DeviceValue<OptimizerState> state(device, {c.number("lr"), 0, 1, 1});
    Tensors out;
    for (const Tensor& g : c.constants()) {
        RUN(device, optimizer_advance_update, state.data(), beta1, beta2);
        if (adam) {
            const AdamParameters p{beta1, beta2, c.number("eps"), c.number("weight_decay")};
            RUN(device, adam_update<real>, w.data(), m.data(), v.data(), g.data(), state.data(), p, w.size());
        } else if (type == "rmsprop") {
            const RmspropParameters p{c.number("alpha"), c.number("eps"), c.number("momentum"), c.number("weight_decay"),
                                      c.about["params"]["eps_inside_sqrt"]};
            RUN(device, rmsprop_update<real>, w.data(), v.data(), p.momentum > 0 ? m.data() : nullptr, g.data(), state.data(), p,
                w.size());
        } else if (type == "lion") {
            const LionParameters p{c.about["params"]["betas"][0], c.about["params"]["betas"][1], c.number("weight_decay")};
            RUN(device, lion_update<real>, w.data(), m.data(), g.data(), state.data(), p, w.size());
        } else {
            const SgdParameters p{c.number("momentum"), c.number("weight_decay"), c.about["params"]["nesterov"]};
            RUN(device, sgd_update<real>, w.data(), p.momentum > 0 ? m.data() : nullptr, g.data(), state.data(), p, w.size());
        }
        out.push_back(Tensor::from(w.to_host(), w.shape()));
    }
    for (std::size_t k = out.size(); k < c.about["outputs"].size(); ++k) {
        const std::string name = c.about["outputs"][k];
        out.push_back(name == "exp_avg" || name == "momentum_buffer" ? m : v);
    }
    return out;
}

const std::map<std::string, Op> ops = {
    {"linear", [](const Case& c, const Tensors& x) { return Tensors{linear(x[0], x[1], x[2], c.activation())}; }},
    {"conv2d",
     [](const Case& c, const Tensors& x) {
         const auto out = [&](int64_t extent) {
             return (extent + 2 * int64_t(c.number("padding")) - int64_t(c.number("kernel"))) / int64_t(c.number("stride")) + 1;
         };
         return Tensors{
             conv2d(x[0], x[1], x[2], conv_shape(c, x[0], out(x[0].dim(1)), out(x[0].dim(2)), x[1].dim(0)), c.activation())};
     }},
    {"conv_transpose2d",
     [](const Case& c, const Tensors& x) {
         const auto out = [&](int64_t extent) {
             return (extent - 1) * int64_t(c.number("stride")) - 2 * int64_t(c.number("padding")) + int64_t(c.number("kernel")) +
                    int64_t(c.number("output_padding"));
         };
         const int64_t kernel = int64_t(c.number("kernel"));
         const ConvShape s{x[0].dim(0),
                           out(x[0].dim(1)),
                           out(x[0].dim(2)),
                           x[1].dim(3),
                           x[0].dim(1),
                           x[0].dim(2),
                           x[0].dim(3),
                           kernel,
                           kernel,
                           int64_t(c.number("stride")),
                           int64_t(c.number("padding"))};
         return Tensors{conv2d_dgrad(x[0], x[1], x[2], s, c.activation())};
     }},
    {"batch_norm", batch_norm_case},
    {"layer_norm",
     [](const Case& c, const Tensors& x) {
         return Tensors{
             layer_norm(x[0], x[1], x[2], {x[0].dim(0), x[0].size() / x[0].dim(0)}, real(c.number("eps")), c.activation())};
     }},
    // The mask comes from PyTorch; test_random.cpp tests the engine's own draws.
    {"dropout",
     [](const Case& c, const Tensors& x) { return Tensors{scale(mul(x[0], c.constants()[0]), real(1 / (1 - c.number("p"))))}; }},
    {"upsample", [](const Case& c, const Tensors& x) { return Tensors{upsample_nearest(x[0], int64_t(c.number("scale")))}; }},
    {"bce", loss_case(LossKind::bce)},
    {"bce_with_logits", loss_case(LossKind::bce_with_logits)},
    {"least_squares", loss_case(LossKind::least_squares)},
    {"hinge", loss_case(LossKind::hinge)},
    {"linear_loss", loss_case(LossKind::linear)},
    {"gradient_penalty",
     [](const Case& c, const Tensors& x) {
         return Tensors{gradient_penalty(x[0], penalty_rows(c.about["params"]["norm"], x[0]), real(c.number("target")))};
     }},
    {"critic_step", critic_step},
    {"optimizer", optimizer_case},
};

}  // namespace

TEST_CASE("ops, gradients and second gradients agree with PyTorch") {
    const Safetensors file = read_safetensors("tests/goldens/ops.safetensors");
    std::set<std::string> used;
    for (const auto& [name, text] : file.metadata) {
        if (!name.starts_with("case.")) continue;
        // 1 - 1e-7 differs between float and double, and the slope of the logarithm there is 1e7.
        if (sizeof(real) == 4 && name.starts_with("case.bce_edges")) continue;
        const Case c{name, Json::parse(text), file};
        const std::string op = c.about["op"], out_layout = c.about["out_layout"];
        REQUIRE_MESSAGE(ops.contains(op), "no op for ", name);
        used.insert(op);
        // PyTorch's bce uses a float 1e-12 in its backward and adds 1e-12 in its double backward: relative error 1e-9 at p =
        // 0.999
        const double first = sizeof(real) == 4 ? 2e-5
                             : op == "bce"     ? 2e-9
                                               : 1e-12,
                     second = sizeof(real) == 4 ? 5e-4
                              : op == "bce"     ? 1e-8
                                                : 1e-11;
        Tensors xs = c.inputs();
        const Tensors outputs = ops.at(op)(c, xs);
        REQUIRE(outputs.size() == c.about["outputs"].size());
        for (std::size_t k = 0; k < outputs.size(); ++k)
            c.check(outputs[k], "out." + std::to_string(k), k == 0 ? out_layout : "F", first);
        const int orders = c.about["orders"];
        if (orders == 0) continue;

        const Tensor dout = op == "critic_step" ? Tensor::full({}, 1) : c.get("dout", out_layout).set_requires_grad();
        const Tensors d = grad({outputs[0]}, xs, {dout}, {.create_graph = orders > 1, .into = {}});
        for (std::size_t k = 0; k < xs.size(); ++k) c.check(d[k], "grad." + std::to_string(k), c.about["layouts"][k], 5 * first);
        if (orders == 1) continue;

        Tensors ddin;
        for (std::size_t k = 0; k < xs.size(); ++k) ddin.push_back(c.get("ddin." + std::to_string(k), c.about["layouts"][k]));
        xs.push_back(dout);
        const Tensors dd = grad(d, xs, ddin);
        for (std::size_t k = 0; k + 1 < xs.size(); ++k)
            c.check(dd[k], "grad2." + std::to_string(k), c.about["layouts"][k], second);
        c.check(dd.back(), "grad2.dout", out_layout, second);
    }
    for (const auto& [op, f] : ops) CHECK_MESSAGE(used.contains(op), "no golden of ", op);
}
