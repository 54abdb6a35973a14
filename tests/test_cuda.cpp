// The GPU compared with the CPU: gradients of first and second order, training, graphs, memory. Runs on a GPU, on the CPU test
// shim (make simt) and on an emulator of the CUDA runtime alike; tests/test_parity.cpp has the table's parity with references.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "engine/gan/trainer.h"
#include "engine/model/model.h"
#include "engine/tensor/workspace.h"
#include "tests/op_cases.h"
#include "tests/skip.h"
#include "tests/training_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

bool no_gpu() {
    const std::string why = Device::cuda_unusable();
    if (!why.empty()) skipped(why.c_str());
    return !why.empty();
}

// First gradients of <outputs, fixed cotangents>, then the gradients of <first gradients, fixed cotangents>.
std::vector<Values> gradients(const OpCase& c, Device device) {
    const Tensors inputs = make_inputs(c, device);
    std::vector<Values> lists;
    Tensors ys = c.build(inputs), xs;
    for (const Tensor& x : inputs)
        if (x.requires_grad()) xs.push_back(x);
    for (int order = 1; order <= c.orders; ++order) {
        Tensors recorded, dys;
        for (const Tensor& y : ys) {
            if (!y || !y.requires_grad()) continue;
            dys.push_back(
                Tensor::from(draw(symmetric, y.size(), c.name(), 900 + order * 10 + int(dys.size())), y.shape(), device));
            recorded.push_back(y);
        }
        if (recorded.empty()) break;
        ys = grad(recorded, xs, dys, {.create_graph = order < c.orders, .into = {}});
        for (const Tensor& g : ys) {
            const std::vector<real> values = g ? g.to_host() : std::vector<real>();
            lists.emplace_back(values.begin(), values.end());
        }
    }
    return lists;
}

// Root mean square error of b against a, relative to a's root mean square, or to `least` if that is larger.
double relative_error(const Values& a, const Values& b, double least) {
    if (a.size() != b.size()) return INFINITY;
    double difference = 0, size = least * least * double(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) difference += (a[i] - b[i]) * (a[i] - b[i]), size += a[i] * a[i];
    return difference == 0 ? 0 : std::sqrt(difference / std::max(size, 1e-30));
}

}  // namespace

// Both compute in float and round differently: 2e-5 of each gradient's size. Where terms cancel (a case's `least`; the gradient
// of a normalisation over two values is 1e-5 of its terms) it is 2e-5 of the terms' size, which is 1, and more in third order: a
// bias's gradient is 0.2 there, where its 100 terms are about 10. The CPU computes without Winograd, which has larger errors
// (tests/test_winograd.cpp).
TEST_CASE("cuda: gradients of every order agree with the CPU's") {
    if (no_gpu()) return;
    const Device cpu = Device::cpu().with({.exact_convolutions = true});
    for (const OpCase& c : op_cases()) {
        const std::vector<Values> expected = gradients(c, cpu), found = gradients(c, Device::cuda());
        REQUIRE_MESSAGE(expected.size() == found.size(), c.name());
        const std::size_t of_order = expected.size() / std::size_t(std::max(c.orders, 1));
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const double least = c.terms >= 10000 || i >= 2 * of_order ? 1 : c.least;
            const double worst = relative_error(expected[i], found[i], least);
            CHECK_MESSAGE(worst <= 2e-5, c.name(), ", gradient ", i, ": off by ", worst);
        }
    }
}

// 3 steps at reduced width and batch. A step's rounding error enters the next through the optimizer; Adam divides by the size of
// the gradient, so that small gradients carry their relative error into the weights: 2e-3 after three steps.
TEST_CASE("cuda: training follows the CPU's losses step by step") {
    if (no_gpu()) return;
    for (const std::string model : {"vanilla", "dcgan", "wgan", "keras-mlp"}) {
        const config::GanConfig config = small_config(model);
        GanTrainer cpu(config, few_images(), Device::cpu()), gpu(config, few_images(), Device::cuda());
        for (int step = 0; step < 3; ++step) {
            cpu.step();
            gpu.step();
            const StepLosses a = cpu.losses(), b = gpu.losses();
            CAPTURE(model);
            CAPTURE(step);
            CHECK(b.loss_d == doctest::Approx(a.loss_d).epsilon(2e-3));
            CHECK(b.loss_g == doctest::Approx(a.loss_g).epsilon(2e-3));
            CHECK(b.grad_norm_d == doctest::Approx(a.grad_norm_d).epsilon(5e-3));
            CHECK(b.grad_norm_g == doctest::Approx(a.grad_norm_g).epsilon(5e-3));
        }
    }
}

TEST_CASE("cuda: streamed images are the resident ones") {
    if (no_gpu()) return;
    for (const std::string graph : {"true", "false"}) {
        GanTrainer resident(small_config("dcgan", {"cuda.data=resident"}), few_images(), Device::cuda());
        GanTrainer streamed(small_config("dcgan", {"cuda.data=streamed", "cuda.graph=" + graph}), few_images(), Device::cuda());
        CHECK(resident.reals(20).to_host() == streamed.reals(20).to_host());
        for (int step = 0; step < 15; ++step) {  // into the second epoch
            if (step == 5) streamed.set_position(Counters{step, streamed.images_before(step)});
            resident.step();
            streamed.step();
        }
        streamed.set_position(Counters{3, streamed.images_before(3)});  // not what is under way
        resident.set_position(Counters{3, streamed.images_before(3)});
        resident.step();
        streamed.step();
        CHECK(resident.losses().loss_d == streamed.losses().loss_d);
        CHECK(resident.discriminator().flat_values().to_host() == streamed.discriminator().flat_values().to_host());
    }
}

// Steps of 3 and of 2 batches: what a step takes does not begin at a multiple of its size.
TEST_CASE("cuda: streamed images are the resident ones where steps take different numbers of them") {
    if (no_gpu()) return;
    const std::vector<std::string> settings = {"objective.critic_steps=2", "objective.fakes=fresh",
                                               "objective.critic_warm_up={\"critic_steps\": 3, \"steps\": 1, \"every\": 4}"};
    const auto with = [&](const std::string& data) {
        std::vector<std::string> all = settings;
        all.push_back("cuda.data=" + data);
        return small_config("vanilla", all);
    };
    GanTrainer resident(with("resident"), few_images(), Device::cuda()), streamed(with("streamed"), few_images(), Device::cuda());
    for (int step = 0; step < 6; ++step) {
        resident.step();
        streamed.step();
        CAPTURE(step);
        CHECK(resident.losses().loss_d == streamed.losses().loss_d);
    }
}

TEST_CASE("cuda: a replayed step has the bits of an eager one, allocates nothing and leaves no tensor") {
    if (no_gpu()) return;
    for (const std::string model : {"vanilla", "dcgan", "wgan"}) {
        CAPTURE(model);
        GanTrainer eager(small_config(model, {"cuda.graph=false"}), few_images(), Device::cuda());
        GanTrainer replayed(small_config(model), few_images(), Device::cuda());
        int64_t tensors = 0, calls = 0;
        for (int step = 0; step < 4; ++step) {
            eager.step();
            replayed.step();
            if (step == 2) {
                eager.losses(), replayed.losses();
                tensors = live_tensors(), calls = Device::cuda().memory().system_calls;
            }
        }
        CHECK(!eager.recorded());
        REQUIRE(replayed.recorded());
        MESSAGE(model, ": ", replayed.recorded()->kernels(), " launches a step");
        const StepLosses a = eager.losses(), b = replayed.losses();
        CHECK(live_tensors() == tensors);
        CHECK(Device::cuda().memory().system_calls == calls);
        CHECK(a.loss_d == b.loss_d);
        CHECK(a.loss_g == b.loss_g);
        for (const auto& [x, y] :
             {std::pair{&eager.generator(), &replayed.generator()}, {&eager.discriminator(), &replayed.discriminator()}})
            CHECK(x->flat_values().to_host() == y->flat_values().to_host());
    }
}

// Steps 0, 3 and 6 have three updates of the critic, the others two: two recordings, replayed in turn, share their memory.
TEST_CASE("cuda: two kinds of recorded steps share memory and have the bits of eager ones") {
    if (no_gpu()) return;
    for (const std::string model : {"vanilla", "dcgan", "wgan"}) {
        CAPTURE(model);
        std::vector<std::string> settings = {"objective.critic_steps=2", "objective.fakes=fresh",
                                             "objective.critic_warm_up={\"critic_steps\": 3, \"steps\": 1, \"every\": 3}"};
        const config::GanConfig config = small_config(model, settings);
        settings.push_back("cuda.graph=false");
        GanTrainer eager(small_config(model, settings), few_images(), Device::cuda());
        GanTrainer replayed(config, few_images(), Device::cuda());
        const Sampler sampler(config, replayed.generator());
        const Tensor held = sampler.images(sampler.latents(1, 0, 4));
        const std::vector<real> values = held.to_host();
        Trace trace;
        int64_t held_bytes = 0;
        for (int step = 0; step < 8; ++step) {
            CAPTURE(step);
            eager.step();
            replayed.step(step == 5 ? &trace : nullptr);
            const StepLosses a = eager.losses(), b = replayed.losses();
            CHECK(a.loss_d == b.loss_d);
            CHECK(a.loss_g == b.loss_g);
            // Both kinds have run, neither is recorded.
            if (step == 1) held_bytes = Device::cuda().memory().held_bytes;
            if (step == 4) CHECK(Device::cuda().memory().held_bytes <= held_bytes + 1024);  // results of both kinds
        }
        CHECK(held.to_host() == values);
        REQUIRE(replayed.recorded());
        for (const auto& [x, y] :
             {std::pair{&eager.generator(), &replayed.generator()}, {&eager.discriminator(), &replayed.discriminator()}})
            CHECK(x->flat_values().to_host() == y->flat_values().to_host());
    }
}

TEST_CASE("cuda: a recording that fails leaves nothing behind") {
    if (no_gpu()) return;
    const Device device = Device::cuda();
    constexpr int64_t size = 12'345'678;  // a size of its own
    const auto work = [&] { Tensor::full({size}, 1, device); };
    const auto calls = [&] { return device.memory().system_calls; };
    Tensor::full({size}, 1, device);
    const MemoryStats before = device.memory();
    for (int i = 0; i < 3; ++i) {
        Workspace workspace(device);
        const Workspace::Demand demand = workspace.run(work);
        CHECK_THROWS_WITH(workspace.record([&] { work(), throw Error("no"); }, demand), "no");
        CHECK_THROWS_AS(workspace.record([&] { Tensor::full({2 * size}, 1, device); }, demand), Error);  // more than it ran with
        const auto recorded = workspace.record(work, demand);
        REQUIRE(recorded);
        CHECK(recorded->kernels() == 1);
        recorded->replay();
    }
    Tensor::full({size}, 1, device);
    CHECK(calls() == before.system_calls);
    CHECK(device.memory().held_bytes == before.held_bytes);
    CHECK(device.memory().live_bytes == before.live_bytes);
}

TEST_CASE("cuda: memory of a step that is in use after it is a mistake, unless it is kept") {
    if (no_gpu()) return;
    const Device device = Device::cuda();
    Tensor left;
    Workspace workspace(device);
    CHECK_THROWS_AS(workspace.run([&] { left = Tensor::full({3}, 1, device); }), std::logic_error);
    left = Tensor();
    workspace.run([&] { workspace.keep(left = Tensor::full({3}, 2, device)); });
    CHECK(left.to_host() == std::vector<real>{2, 2, 2});
    left = Tensor();
    workspace.run([&] { Tensor::full({3}, 1, device); });
    {  // what outlives the workspace is everybody's memory afterwards
        Workspace other(device);
        other.run([&] { other.keep(left = Tensor::full({777'777}, 2, device)); });
    }
    left = Tensor();
    const int64_t calls = device.memory().system_calls;
    Tensor::full({777'777}, 1, device);
    CHECK(device.memory().system_calls == calls);
}

#ifdef __SANITIZE_ADDRESS__
// The pool's blocks outlive the tensors in them; AddressSanitizer knows of it by engine/tensor/pool.cpp. Each kernel runs in a
// process of its own, which ends with another status if a mistake is found.
TEST_CASE("cuda: kernels that touch released memory, or more than was asked for, are found") {
    if (no_gpu()) return;
    const Device device = Device::cuda();
    const Tensor kept = Tensor::full({37}, 1, device), out = Tensor::empty({38}, device);
    const real* released = Tensor::full({37}, 1, device).data();
    const auto survives = [&](const real* from, int64_t count) {
        const pid_t child = fork();
        if (child == 0) {
            if (!std::freopen("/dev/null", "w", stderr)) _exit(2);
            RUN(device, copy, out.data(), from, count);
            out.to_host();
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    };
    CHECK(survives(kept.data(), 37));
    CHECK_FALSE(survives(kept.data(), 38));
    CHECK_FALSE(survives(released, 37));
}
#endif
