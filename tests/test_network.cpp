// Networks: parameters and buffers are arguments of a pass.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/autograd/tape.h"
#include "engine/gan/trainer.h"
#include "engine/nn/network.h"
#include "engine/nn/registry.h"
#include "tests/skip.h"
#include "tests/temporary.h"
#include "tests/training_cases.h"

using namespace gannet;
using namespace gannet::tests;

TEST_CASE("network: a pass uses the given parameters and buffers") {
    const config::GanConfig config = small_config("dcgan");
    const SampleShape image{28, 28, 1, false}, in = config.latent.shape();
    Network a(Net::generator, config.generator, in, image, config, Device::cpu()),
        b(Net::generator, config.generator, in, image, config, Device::cpu());
    a.initialise(1), b.initialise(2);
    const DeviceValue<Counters> start(Device::cpu());
    const Tensor x = normal(in.batch(4), {start.data(), {3, streams::latent, 0}}, 0, 0, 1, Device::cpu());

    // Training with the parameters of b and a copy of the buffers: equals a pass of b and updates only the copy.
    const Tensor buffers = Tensor::from(a.flat_buffers().to_host(), a.flat_buffers().shape());
    Tensors values = a.parameters_in(Tensor::from(b.flat_values().to_host(), b.flat_values().shape()));
    for (Tensor& value : values) value.set_requires_grad();
    const std::vector<real> before = a.flat_buffers().to_host();
    const Tensor y = a.forward({x}, {.counters = start.data(), .parameters = &values, .buffers = &buffers});
    CHECK(y.to_host() == b.forward({x}, {.counters = start.data()}).to_host());
    CHECK(a.flat_buffers().to_host() == before);
    CHECK(buffers.to_host() == b.flat_buffers().to_host());
    CHECK(buffers.to_host() != before);

    // Gradients are computed for the given parameters, not for the network's own.
    const Tensor one = Tensor::full({}, 1);
    const Tensors of_given = grad({mean(y)}, values, {one}, {.create_graph = false, .into = {}});
    CHECK(bool(of_given[0]));
    const Tensors of_own = grad({mean(y)}, a.values(), {one}, {.create_graph = false, .into = {}});
    CHECK(!of_own[0]);

    // Evaluation uses the given running statistics.
    const Tensor evaluated = a.forward({x}, {.training = false, .parameters = &values, .buffers = &buffers});
    CHECK(evaluated.to_host() == b.forward({x}, {.training = false}).to_host());
    CHECK(evaluated.to_host() != a.forward({x}, {.training = false, .parameters = &values}).to_host());
}

TEST_CASE("network: parameters and buffers have the right offsets in the flat tensors") {
    const config::GanConfig config = small_config("dcgan");
    const SampleShape image{28, 28, 1, false}, in = config.latent.shape();
    const Network network(Net::generator, config.generator, in, image, config, Device::cpu());
    int64_t end = 0;
    for (std::size_t i = 0; i < network.parameters().size(); ++i) {
        const Variable& p = *network.parameters()[i];
        CHECK(p.index == i);
        CHECK(p.offset >= end);
        CHECK(p.offset * int64_t(sizeof(real)) % 64 == 0);
        CHECK(network.values()[i].data() == network.flat_values().data() + p.offset);
        CHECK(network.gradients()[i].data() == network.flat_gradients().data() + p.offset);
        end = p.offset + p.size();
    }
    CHECK(end <= network.flat_values().size());
    end = 0;
    for (const Variable* b : network.buffers()) {
        if (!b->name.ends_with("running_var")) {
            CHECK(b->offset >= end);
            CHECK(b->offset * int64_t(sizeof(real)) % 64 == 0);
        } else {
            CHECK(b->offset == end);  // the variances follow the means, as the kernels expect
        }
        end = b->offset + b->size();
    }
    CHECK(end <= network.flat_buffers().size());
}

namespace {

// Adds a buffer to each sample, after a training pass has multiplied it by -1/2.
struct MadeUp final : Module {
    explicit MadeUp(const Site& site) : Module(site) {
        add_buffer(site, "u", {in.C}, {in.C}, {1, 1, in.C}, {Init::Kind::normal, 0, 1});
        add_buffer(site, "v", {3, 5}, {5, 3}, {1, 3, 5}, {Init::Kind::uniform, 1, 2}, true);
    }
    Tensor forward(const Inputs& inputs, const Pass& pass, const Fused&) const override {
        const Tensor u = scale(buffer(pass, 0), pass.training ? real(-0.5) : real(1));
        if (pass.training && pass.update_buffers) pass.updates->push_back({buffer(pass, 0), u});
        return add(inputs.x, expand_rows(u, {inputs.x.dim(0), in.C}, inputs.x.shape()));
    }
    Description describe() const override { return {}; }
};

}  // namespace

TEST_CASE("network: any buffer starts as its layer says, is written by training passes, eager and replayed, and is saved") {
    static const LayerKind kind{.spec = {"made_up", "", {}}, .traits = {}, .make = make_module<MadeUp>};
    std::vector<Device> devices{Device::cpu()};
    if (Device::cuda_unusable().empty()) devices.push_back(Device::cuda());
    const TemporaryFolder folder;
    const std::string file = folder / "checkpoint.safetensors";
    for (const Device& device : devices) {
        CAPTURE(device.name());
        const auto with = [&](const char* graph) {
            config::GanConfig config = small_config("vanilla", {std::string("cuda.graph=") + graph});
            config.discriminator.insert(config.discriminator.begin() + 2, {.kind = &kind, .keys = {}, .lists = {}});
            return config;
        };
        const config::GanConfig config = with("true");
        GanTrainer eager(with("false"), few_images(), device), cut(config, few_images(), device),
            resumed(config, few_images(), device);

        const Network& network = cut.discriminator();
        const Variable &u = *network.buffers()[0], &v = *network.buffers()[1];
        const auto now = [&](const Variable& of) { return of.in(network.flat_buffers()).to_host(); };
        const DeviceValue<Counters> start(device);
        const RandomSource source{start.data(), {config.seed, streams::initial_buffer(Net::discriminator, 0), 0}};
        std::vector<real> expected = normal({1, u.size()}, source, 0, 0, 1, device).to_host();
        CHECK(now(u) == expected);
        const std::vector<real> uniform = now(v);
        CHECK((*std::min_element(uniform.begin(), uniform.end()) > 1 && *std::max_element(uniform.begin(), uniform.end()) < 2));

        const Tensor x = Tensor::full(network.in().batch(2), 0, device);
        std::vector<BufferUpdate> updates;
        network.forward({x}, {.training = false});
        network.forward({x}, {.update_buffers = false});
        CHECK(now(u) == expected);
        network.forward({x}, {.updates = &updates});
        for (real& value : expected) value *= real(-0.5);
        CHECK(now(u) == expected);
        network.forward({x}, {});
        network.update_buffers(updates);
        CHECK(now(u) == expected);
        eager.discriminator().update_buffers({{u.in(eager.discriminator().flat_buffers()), u.in(network.flat_buffers())}});

        for (int step = 0; step < 6; ++step) eager.step();
        cut.step();
        const Safetensors content = state_of(cut);
        write_safetensors(file, content);
        restore(load_checkpoint(file), resumed);
        for (int step = 1; step < 6; ++step) resumed.step();
        CHECK(bool(resumed.recorded()) == device.is_cuda());
        check_same_state(eager, resumed);
        const Safetensors whole = state_of(eager);
        REQUIRE(whole.find("discriminator.2.u"));
        CHECK(whole.find("discriminator.2.u")->data != content.find("discriminator.2.u")->data);
        REQUIRE(whole.find("discriminator.2.v"));
        CHECK(whole.find("discriminator.2.v")->shape == std::vector<int64_t>{5, 3});
        const auto refused = [&](const std::string& name, const auto& damage) {
            Safetensors damaged = content;
            for (Array& array : damaged.arrays)
                if (array.name == name) damage(array);
            write_safetensors(file, damaged);
            return error_of([&] { restore(load_checkpoint(file), resumed); });
        };
        CHECK(has(refused("discriminator.2.u", [](Array& array) { array.name = "other"; }), "no 'discriminator.2.u' in it"));
        const auto negate = [](Array& array) { array.data.back() |= std::byte(0x80); };
        CHECK(refused("discriminator.2.u", negate) == "");
        for (const std::string name : {"discriminator.2.v", "generator.3.running_var", "optimizer.generator.0.bias.exp_avg_sq"})
            CHECK(has(refused(name, negate), "'" + name + "' has negative values"));
    }
}

TEST_CASE("network: an input of another device is refused") {
    const config::GanConfig config = small_config("dcgan");
    const SampleShape image{28, 28, 1, false}, in = config.latent.shape();
    const Device best = Device::cpu(), scalar = best.on_cpu(Backend::cpu_scalar);
    const DeviceValue<Counters> start(best);
    for (const auto& [own, other] : {std::pair(best, scalar), std::pair(scalar, best)}) {
        if (own.backend() == other.backend()) return skipped("this CPU has one instruction set only");
        const Network network(Net::generator, config.generator, in, image, config, own);
        const auto refused = [&](const Device& device) {
            return error_of([&] { network.forward({Tensor::full(in.batch(4), 0, device)}, {.counters = start.data()}); });
        };
        CHECK(refused(own) == "");
        CHECK(
            has(refused(other), "its input is on " + other.name() + ", its parameters are on " + own.name() + " (generator): "));
    }
}

TEST_CASE("network: every activation is a layer") {
    for (const ActivationRow& row : activation_rows) {
        if (row.kind == ActivationKind::none) continue;
        CAPTURE(row.name);
        const Traits& traits = find_kind(layer_kinds(), row.name)->traits;
        CHECK(traits.activation == row.kind);
        CHECK(traits.curved == !row.piecewise_linear);
    }
}

TEST_CASE("network: the summary says in which passes an activation is fused") {
    const auto summary_with = [](const std::string& activation) {
        const config::GanConfig config =
            small_config("vanilla", {R"(discriminator=[{"layer":"flatten"},{"layer":"linear","units":8},{"layer":")" +
                                     activation + R"("},{"layer":"linear","units":1},{"layer":"sigmoid"}])"});
        const SampleShape image{8, 8, 1, false};
        return summary(Network(Net::discriminator, config.discriminator, image, image, config, Device::cpu()));
    };
    CHECK(has(summary_with("relu"), "  fused into discriminator.1"));
    CHECK(has(summary_with("silu"), "backward fused into discriminator.1"));
}

TEST_CASE("network: a description contains every attribute of the layer that the model file can set") {
    const std::vector<std::string> configs = {R"({ "layer": "linear", "units": "image" })",
                                              R"({ "layer": "reshape", "shape": "image" })",
                                              R"({ "layer": "conv2d", "channels": 6, "kernel": 3, "stride": 2, "padding": 1 })",
                                              R"({ "layer": "batch_norm", "eps": 0.25 })",
                                              R"({ "layer": "leaky_relu", "slope": 0.5 })",
                                              R"({ "layer": "upsample", "scale": 4 })",
                                              R"({ "layer": "layer_norm", "affine": false })",
                                              R"({ "layer": "dropout", "p": 0.25, "channelwise": true })",
                                              R"({ "layer": "conv_transpose2d", "channels": "image", "kernel": 4 })",
                                              R"({ "layer": "residual", "main": [{ "layer": "relu" }] })",
                                              R"({ "layer": "flatten" })",
                                              R"({ "layer": "tanh" })",
                                              R"({ "layer": "sigmoid" })",
                                              R"({ "layer": "gelu" })",
                                              R"({ "layer": "silu" })"};
    std::string list;
    for (const std::string& config : configs) list += (list.empty() ? "generator=[" : ", ") + config;
    const config::GanConfig config = small_config("vanilla", {list + "]"});
    BuildContext context{.net = Net::generator, .image = {8, 8, 1, false}, .options = config};
    const Sequence sequence = build_sequence(config.generator, "generator", {1, 1, 5, true}, context);
    std::set<std::string> seen;
    std::map<std::string, json::Value> said;
    for_each_module(sequence, [&](const Module& module) {
        CAPTURE(module.type);
        seen.insert(module.type);
        const json::Members attributes = module.describe().attributes;
        std::vector<std::string> names;
        for (const auto& [name, value] : attributes) {
            names.push_back(name);
            said[module.type + "." + name] = value;
        }
        for (const config::Key& key : find_kind(layer_kinds(), module.type)->spec.keys) {
            CAPTURE(key.name);
            // `init` is used only when the layer is built; lists of layers are described as children.
            const bool elsewhere = key.name == "init" || key.kind == config::Kind::layers;
            CHECK((std::find(names.begin(), names.end(), key.name) != names.end()) != elsewhere);
        }
        CHECK(attributes.size() <= find_kind(layer_kinds(), module.type)->spec.keys.size());
        for (const Child& child : module.children) CHECK(find_kind(layer_kinds(), module.type)->spec.find(child.name));
    });
    for (const LayerKind& kind : layer_kinds()) CHECK((seen.contains(kind.spec.name) || kind.traits.repeats));

    const auto text = [&](const char* name) { return json::dump(said.at(name), -1); };
    CHECK(text("linear.units") == "64");
    CHECK(text("reshape.shape") == "[1, 8, 8]");
    CHECK(text("conv2d.stride") == "2");
    CHECK(text("conv2d.bias") == "true");
    CHECK(text("batch_norm.eps") == "0.25");
    CHECK(text("batch_norm.momentum") == "0.1");
    CHECK(text("leaky_relu.slope") == "0.5");
    CHECK(text("layer_norm.affine") == "false");
    CHECK(text("dropout.channelwise") == "true");
    CHECK(text("conv_transpose2d.channels") == "1");
    CHECK(text("conv_transpose2d.output_padding") == "0");

    const json::List described = description(sequence);
    REQUIRE(described.size() == config.generator.size());
    CHECK(json::dump(*described[0].find("parameters"), -1) == R"({"generator.0.weight": [64, 5], "generator.0.bias": [64]})");
    CHECK(json::dump(*described[3].find("buffers"), -1) ==
          R"({"generator.3.running_mean": [6], "generator.3.running_var": [6]})");
    CHECK(json::dump(*described[2].find("output"), -1) == "[6, 4, 4]");
    CHECK(*described[4].find("fused_into")->text() == "generator.3");
    CHECK(described[5].find("fused_into")->is_null());
    CHECK(described[9].find("lists")->find("main")->list()->size() == 1);
    CHECK(described[9].find("lists")->find("shortcut")->list()->empty());
}
