// Compares the GPU with the CPU: gradients of every order, training, graphs, memory. Runs on a GPU, on the CPU test shim (make
// simt) and on an emulator of the CUDA runtime. tests/test_parity.cpp compares ops and kernels with references.
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

// Gradients of <outputs, fixed cotangents>, then gradients of <those gradients, fixed cotangents>, up to order c.orders.
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

// Root mean square error of b, relative to the root mean square of a or to `least`, whichever is larger.
double relative_error(const Values& a, const Values& b, double least) {
    if (a.size() != b.size()) return INFINITY;
    double difference = 0, size = least * least * double(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) difference += (a[i] - b[i]) * (a[i] - b[i]), size += a[i] * a[i];
    return difference == 0 ? 0 : std::sqrt(difference / std::max(size, 1e-30));
}

}  // namespace

// CPU and GPU compute in float but round differently: the tolerance is 2e-5 of each gradient's size. Where terms cancel (`least`
// of a case; the gradient of a normalisation over two values is 1e-5 of its terms) it is relative to the size of the terms, 1.
// Third-order gradients always use that: a bias gradient of 0.2 is the sum of 100 terms of about 10. The CPU computes without
// Winograd, whose errors are larger (tests/test_winograd.cpp).
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

// 3 steps at reduced width and batch. The optimizer carries the rounding error of a step into the next. Adam divides by the size
// of the gradient, so small gradients pass their relative error to the weights: 2e-3 after three steps.
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

TEST_CASE("cuda: streamed images equal resident images") {
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
        streamed.set_position(Counters{3, streamed.images_before(3)});  // not the batches that are being copied
        resident.set_position(Counters{3, streamed.images_before(3)});
        resident.step();
        streamed.step();
        CHECK(resident.losses().loss_d == streamed.losses().loss_d);
        CHECK(resident.discriminator().flat_values().to_host() == streamed.discriminator().flat_values().to_host());
    }
}

// Steps take 3 or 2 batches, so a step does not begin at a multiple of its size.
TEST_CASE("cuda: streamed images equal resident images if the batches per step vary") {
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

TEST_CASE("cuda: a replayed step equals an eager step bit for bit, allocates nothing and leaks no tensor") {
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

// Steps 0, 3 and 6 have three critic updates, the others two: two graphs, replayed alternately, share memory.
TEST_CASE("cuda: two kinds of recorded steps share memory and equal eager steps bit for bit") {
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
            // Both kinds of steps have run eagerly; neither is recorded yet.
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

TEST_CASE("cuda: a failed recording leaks no memory") {
    if (no_gpu()) return;
    const Device device = Device::cuda();
    constexpr int64_t size = 12'345'678;  // a size that nothing else allocates
    const auto work = [&] { Tensor::full({size}, 1, device); };
    const auto calls = [&] { return device.memory().system_calls; };
    Tensor::full({size}, 1, device);
    const MemoryStats before = device.memory();
    for (int i = 0; i < 3; ++i) {
        Workspace workspace(device);
        const Workspace::Demand demand = workspace.run(work);
        CHECK_THROWS_WITH(workspace.record([&] { work(), throw Error("no"); }, demand), "no");
        CHECK_THROWS_AS(workspace.record([&] { Tensor::full({2 * size}, 1, device); }, demand), Error);  // more than the demand
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

TEST_CASE("cuda: memory of a step that is still in use afterwards is an error, unless it is kept") {
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
    {  // memory that outlives the workspace returns to the pool
        Workspace other(device);
        other.run([&] { other.keep(left = Tensor::full({777'777}, 2, device)); });
    }
    left = Tensor();
    const int64_t calls = device.memory().system_calls;
    Tensor::full({777'777}, 1, device);
    CHECK(device.memory().system_calls == calls);
}

#ifdef __SANITIZE_ADDRESS__
// The pool's blocks outlive the tensors in them; engine/tensor/pool.cpp tells AddressSanitizer which bytes are in use. Each
// kernel runs in a child process, which exits with a nonzero status on an error.
TEST_CASE("cuda: kernels that access released memory or exceed an allocation are detected") {
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
