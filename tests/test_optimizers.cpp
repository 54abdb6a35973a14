// Optimizers, from the keys of a model file to the weights, and decorators around them.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/gan/trainer.h"
#include "engine/nn/optimizer.h"
#include "tests/temporary.h"
#include "tests/training_cases.h"
#ifdef GANNET_SIMT
#include "kernels/cuda/launch.h"
#endif

using namespace gannet;
using namespace gannet::tests;

TEST_CASE("optimizer: each kind updates the weights and its states by its formula") {
    // One weight, its states, and its gradient in update t; each key differs from its default.
    struct Row {
        const char* keys;
        std::vector<const char*> states;
        void (*update)(double& w, std::vector<double>& s, double g, int t);
    };
    const Row rows[] = {{R"({"type": "adam", "lr": 0.25, "betas": [0.5, 0.75], "eps": 0.125, "weight_decay": 0.5})",
                         {"exp_avg", "exp_avg_sq"},
                         [](double& w, std::vector<double>& s, double g, int t) {
                             const double d = g + w / 2;
                             s[0] = s[0] / 2 + d / 2, s[1] = 0.75 * s[1] + d * d / 4;
                             w -= s[0] / (1 - std::pow(0.5, t)) / (std::sqrt(s[1] / (1 - std::pow(0.75, t))) + 0.125) / 4;
                         }},
                        {R"({"type": "rmsprop", "lr": 0.25, "alpha": 0.75, "eps": 0.125, "eps_inside_sqrt": true, "momentum": 0.5,
             "weight_decay": 0.5})",
                         {"square_avg", "momentum_buffer"},
                         [](double& w, std::vector<double>& s, double g, int) {
                             const double d = g + w / 2;
                             s[0] = 0.75 * s[0] + d * d / 4;
                             s[1] = s[1] / 2 + d / std::sqrt(s[0] + 0.125);
                             w -= s[1] / 4;
                         }},
                        {R"({"type": "sgd", "lr": 0.25, "momentum": 0.5, "nesterov": true, "weight_decay": 0.5})",
                         {"momentum_buffer"},
                         [](double& w, std::vector<double>& s, double g, int t) {
                             const double d = g + w / 2;
                             s[0] = t == 1 ? d : s[0] / 2 + d;
                             w -= (d + s[0] / 2) / 4;
                         }},
                        {R"({"type": "lion", "lr": 0.25, "betas": [0.5, 0.75], "weight_decay": 0.5})",
                         {"exp_avg"},
                         [](double& w, std::vector<double>& s, double g, int) {
                             const double c = s[0] / 2 + g / 2;
                             w -= ((c > 0) - (c < 0) + w / 2) / 4;
                             s[0] = 0.75 * s[0] + g / 4;
                         }}};
    CHECK(std::size(rows) == optimizer_kinds().size());
    for (const Row& row : rows) {
        CAPTURE(row.keys);
        const config::GanConfig config = golden_config("vanilla", {std::string("optimizer=") + row.keys});
        GanTrainer trainer(config, few_images(), Device::cpu());
        const Network& network = trainer.discriminator();
        Optimizer optimizer(config.discriminator_optimizer, network);
        REQUIRE(optimizer.states().size() == row.states.size());
        CHECK(optimizer.words() == 3 + 2 * double(row.states.size()));
        real *const weights = network.flat_values().data(), *const gradients = network.flat_gradients().data();
        double w[] = {1, 1};
        std::vector<double> s[2] = {std::vector<double>(row.states.size()), std::vector<double>(row.states.size())};
        std::fill_n(weights, 3, real(1));
        int t = 0;
        for (const double g : {1.0, -0.5, 0.25}) {
            const double of[] = {g, 0, NAN};
            for (int i = 0; i < 3; ++i) gradients[i] = real(of[i]);
            optimizer.begin();
            optimizer.update();
            CHECK(optimizer.updates() == ++t);
            for (int i = 0; i < 2; ++i) {
                row.update(w[i], s[i], of[i], t);
                CHECK(weights[i] == doctest::Approx(w[i]).epsilon(1e-5));
                for (std::size_t k = 0; k < row.states.size(); ++k) {
                    CHECK(optimizer.states()[k].name == row.states[k]);
                    CHECK(optimizer.states()[k].flat.data()[i] == doctest::Approx(s[i][k]).epsilon(1e-5));
                }
            }
            CHECK(std::isnan(weights[2]));
        }
    }
}

TEST_CASE("optimizer: decorators run in order, before the passes of an update and after the weights are updated") {
    struct Watch : Decorator {
        Watch(const char* of, std::vector<std::string>& lines) : name(of), log(lines) {}
        void before(const OptimizerUpdate& update) override { note(" before ", update); }
        void after(const OptimizerUpdate& update) override { note(" after ", update); }
        double words() const override { return 0.5; }
        void note(const std::string& what, const OptimizerUpdate& update) const {
            log.push_back(name + what + std::to_string(std::lround(update.w[0])));
        }
        const std::string name;
        std::vector<std::string>& log;
    };
    GanTrainer trainer(golden_config("vanilla"), few_images(), Device::cpu());
    const Network& network = trainer.discriminator();
    Optimizer optimizer({.kind = find_kind(optimizer_kinds(), "sgd"), .lr = 1, .parameters = SgdParameters{}}, network);
    CHECK(optimizer.words() == 3);
    std::vector<std::string> log;
    optimizer.decorate(std::make_unique<Watch>("a", log));
    optimizer.decorate(std::make_unique<ClipWeights>(real(4), ClipWeights::When::after));
    optimizer.decorate(std::make_unique<Watch>("b", log));
    CHECK(optimizer.words() == 6);
    std::fill_n(network.flat_gradients().data(), network.flat_gradients().size(), real(-4));
    const auto update = [&](double from) {
        log.clear();
        std::fill_n(network.flat_values().data(), network.flat_values().size(), real(from));
        optimizer.begin();
        optimizer.update();
        return log;
    };
    using Lines = std::vector<std::string>;
    CHECK(update(1) == Lines{"a before 1", "b before 1", "a after 5", "b after 4"});
    CHECK(update(5) == Lines{"a before 5", "b before 5", "a after 9", "b after 4"});  // clipped once, not before too
    optimizer.decorate(std::make_unique<ClipWeights>(real(2), ClipWeights::When::before));
    optimizer.decorate(std::make_unique<Watch>("c", log));
    CHECK(update(1) == Lines{"a before 1", "b before 1", "c before 1", "a after 5", "b after 4", "c after 4"});
    CHECK(update(-3) == Lines{"a before -3", "b before -3", "c before -2", "a after 2", "b after 2", "c after 2"});
}

namespace {

// An exponential average of the weights: 3/4 average + 1/4 weights, as the kernel of running statistics computes it.
struct Average : Decorator {
    std::vector<StateSpec> states() const override { return {{"average"}}; }
    void after(const OptimizerUpdate& update) override {
        const RunningStats stats{update.states[0], update.w, {1, update.n / 2}, real(0.25)};
        RUN(update.device, running_stats_update, &stats, 1);
    }
    double words() const override { return 1; }
};

// A schedule: lr is (1 - t / 8) / 1024 in the update after t others. A kernel on a GPU, which only the shim can compile here.
void linear_kernel(OptimizerState* progress) { progress->lr = (1 - double(progress->updates) / 8) / 1024; }
struct Linear : Decorator {
    void before(const OptimizerUpdate& update) override {
#ifdef GANNET_SIMT
        if (update.device.is_cuda())
            return kernels::cuda::launch("linear", linear_kernel, {dim3(1), dim3(1)}, update.device.stream(), update.progress);
#endif
        linear_kernel(update.progress);
    }
};

void add_both(Optimizer& optimizer) {
    optimizer.decorate(std::make_unique<Average>());
    optimizer.decorate(std::make_unique<Linear>());
}

}  // namespace

TEST_CASE("optimizer: a decorator keeps a state, and sets the learning rate by the number of the update") {
    GanTrainer trainer(golden_config("vanilla"), few_images(), Device::cpu());
    const Network& network = trainer.discriminator();
    Optimizer optimizer({.kind = find_kind(optimizer_kinds(), "sgd"), .lr = 99, .parameters = SgdParameters{}}, network);
    add_both(optimizer);
    CHECK(optimizer.words() == 6);
    REQUIRE(optimizer.states().size() == 1);
    const Tensor& state = optimizer.states()[0].flat;
    std::fill_n(network.flat_gradients().data(), network.flat_gradients().size(), real(1));
    std::fill_n(network.flat_values().data(), network.flat_values().size(), real(1));
    double w = 1, average = 0;
    for (int t = 0; t < 4; ++t) {
        optimizer.begin();
        optimizer.update();
        w -= (1 - t / 8.) / 1024;
        average = 0.75 * average + 0.25 * w;
        for (const int64_t i : {int64_t(0), network.flat_values().size() - 1}) {
            CHECK(network.flat_values().data()[i] == doctest::Approx(w).epsilon(1e-6));
            CHECK(state.data()[i] == doctest::Approx(average).epsilon(1e-6));
        }
    }
}

TEST_CASE("optimizer: the states of decorators are saved and restored byte for byte, and steps with decorators are replayed") {
    const TemporaryFolder folder;
    const std::string file = folder / "checkpoint.safetensors", name = "optimizer.generator.0.weight.average";
    std::vector<Device> devices{Device::cpu()};
#ifdef GANNET_SIMT
    devices.push_back(Device::cuda());
#endif
    for (const Device& device : devices) {
        CAPTURE(device.name());
        const config::GanConfig config = small_config("vanilla"), without_graph = small_config("vanilla", {"cuda.graph=false"});
        GanTrainer eager(without_graph, few_images(), device), cut(config, few_images(), device),
            resumed(config, few_images(), device), plain(config, few_images(), device);
        for (GanTrainer* trainer : {&eager, &cut, &resumed})
            for (const Trainer::Part& part : trainer->parts()) add_both(part.optimizer);
        for (int step = 0; step < 6; ++step) eager.step();
        cut.step();
        Safetensors content = state_of(cut);
        write_safetensors(file, content);
        restore(load_checkpoint(file), resumed);
        check_same_state(cut, resumed);
        for (int step = 1; step < 6; ++step) resumed.step();
        CHECK(bool(resumed.recorded()) == device.is_cuda());
        check_same_state(eager, resumed);
        REQUIRE(content.find(name));
        CHECK(content.find(name)->shape == content.find("generator.0.weight")->shape);
        CHECK(content.find(name)->data != state_of(eager).find(name)->data);
        plain.step();
        write_safetensors(file, checkpoint_of(plain, {}));
        CHECK(has(error_of([&] { restore(load_checkpoint(file), resumed); }), "no '" + name + "' in it"));
    }
}
