// Memory requests of the CUDA kernels, from an emulator that counts requests, sectors and shared-memory passes; and kernel
// launches of a training iteration.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <map>

#include "engine/classifier/trainer.h"
#include "engine/gan/trainer.h"
#include "tests/kernel_cases.h"
#include "tests/op_cases.h"
#include "tests/skip.h"
#include "tests/training_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

// ---- memory requests -------------------------------------------------------------------------------------------------

// Functions of the emulator; null elsewhere. counter() covers all kernels launched since start(1) whose names contain `kernel`;
// it returns -1 if there are none.
struct Profiler {
    double (*counter)(const char* kernel, const char* counter) = nullptr;
    void (*start)(int on) = nullptr;

    Profiler() {
        counter = reinterpret_cast<decltype(counter)>(dlsym(RTLD_DEFAULT, "ptxemu_counter"));
        start = reinterpret_cast<decltype(start)>(dlsym(RTLD_DEFAULT, "ptxemu_profile"));
    }
    explicit operator bool() const { return counter && start; }
};

struct CountedCase {
    std::string kernel, shape;
    std::vector<int64_t> sizes;  // of the arrays, in the order of p
    std::function<void(Device, const std::vector<real*>& p)> run;
    std::string counted = "_kernel";  // only kernels with this in their names are counted
};

// Runs each case on 16-byte aligned arrays and compares a counter with its limits, for all launches of the call and for each
// auxiliary kernel alone, because a large kernel could hide the excess of a small one.
void check_counter(const std::vector<CountedCase>& cases, const std::string& counter, double least = 0, double most = 1.05) {
    const Profiler profiler;
    if (!profiler || !Device::cuda_unusable().empty()) return skipped("no emulator that counts");
    const Device device = Device::cuda(0, {.matmul = MatmulChoice::own});
    double worst = 0;
    std::string worst_name;
    for (const CountedCase& c : cases) {
        const std::string name = c.kernel + " " + c.shape;
        Tensors arrays;
        std::vector<real*> pointers;
        for (const int64_t size : c.sizes) {
            arrays.push_back(Tensor::from(draw(positive, size, name, int(arrays.size())), {size}, device));
            pointers.push_back(arrays.back().data());
        }
        profiler.start(1);
        c.run(device, pointers);
        arrays.back().rows(0, 1).to_host();  // synchronises
        CHECK_MESSAGE(profiler.counter(c.counted.c_str(), "launches") >= 1, name, " was not launched");
        for (const std::string part : {c.counted.c_str(), "merge_", "add_slices_", "column_deviations_", "_sums_", "_slice_"}) {
            const double found = profiler.counter(part.c_str(), counter.c_str());
            if (found < 0) continue;  // not launched
            CHECK_MESSAGE(found >= least, name, " (", part, "): ", counter, " is ", found);
            CHECK_MESSAGE(found <= most, name, " (", part, "): ", counter, " is ", found);
            if (found > worst) worst = found, worst_name = name;
        }
        profiler.start(0);
    }
    MESSAGE(counter, " of ", cases.size(), " calls: at most ", worst, " (", worst_name, ")");
}

std::vector<CountedCase> elementwise() {
    const int64_t n = 64 * 784;
    const std::string l = std::to_string(n);
    std::vector<CountedCase> cases = {
        {"fill", l, {n}, CALL(fill, p[0], real(0.25), n)},
        {"copy", l, {n, n}, CALL(copy<real>, p[0], p[1], n)},
        {"add", l, {n, n, n}, CALL(add<real>, p[0], p[1], p[2], n)},
        {"sub", l, {n, n, n}, CALL(sub<real>, p[0], p[1], p[2], n)},
        {"mul", l, {n, n, n}, CALL(mul<real>, p[0], p[1], p[2], n)},
        {"div", l, {n, n, n}, CALL(div<real>, p[0], p[1], p[2], n)},
        {"affine", l, {n, n}, CALL(affine<real>, p[0], p[1], 2, 1, n)},
        {"exp", l, {n, n}, CALL(exp<real>, p[0], p[1], n)},
        {"log", l, {n, n}, CALL(log<real>, p[0], p[1], n)},
        {"sqrt", l, {n, n}, CALL(sqrt<real>, p[0], p[1], n)},
        {"softplus", l, {n, n}, CALL(softplus<real>, p[0], p[1], n)},
        {"clamp", l, {n, n}, CALL(clamp<real>, p[0], p[1], -1, 1, n)},
        {"clamp_grad", l, {n, n, n}, CALL(clamp_grad<real>, p[0], p[1], p[2], -1, 1, n)},
    };
    for (const Activation act : activations()) {
        cases.push_back({"activation", l + " " + text(act), {n, n}, CALL(activation<real>, p[0], p[1], act, n)});
        cases.push_back(
            {"activation_grad", l + " " + text(act), {n, n, n}, CALL(activation_grad<real>, p[0], p[1], p[2], act, n)});
    }
    for (const RowsShape s : {RowsShape{64, 784}, {64, 3 * 64 * 64}})
        cases.push_back(
            {"interpolate", text(s), {s.size(), s.size(), s.size(), s.rows}, CALL(interpolate<real>, p[0], p[1], p[2], p[3], s)});
    const RandomKey key{42, 7, 1};
    const DrawShape latents{0, 64, 100};
    cases.push_back({"uniform", "64x100", {latents.size()}, CALL(uniform<real>, p[0], test_counters(d), key, latents, 0, 1)});
    cases.push_back({"normal", "64x100", {latents.size()}, CALL(normal<real>, p[0], test_counters(d), key, latents, 0, 1)});
    for (const bool channelwise : {false, true}) {
        const DropoutShape s{0, 64, 49, 128, channelwise};
        cases.push_back({"dropout",
                         channelwise ? "64x49x128 channelwise" : "64x49x128",
                         {s.size(), s.size()},
                         CALL(dropout<real>, p[0], p[1], test_counters(d), key, s, real(0.5))});
    }
    return cases;
}

std::vector<CountedCase> batch_norms() {
    const Activation relu{ActivationKind::relu, 0}, none{};
    std::vector<CountedCase> cases;
    for (const RowsShape s : {RowsShape{64, 512}, {64, 1024}, {64 * 49, 128}, {64 * 196, 64}, {64 * 256, 32}}) {
        const int64_t n = s.size(), c = s.cols;
        const std::string l = text(s);
        cases.push_back({"moments", l, {2 * c, n}, CALL(moments<real>, p[0], p[1], s)});
        cases.push_back({"running_stats_update", l, {2 * c, 2 * c}, [=](Device d, const std::vector<real*>& p) {
                             const RunningStats stats{p[0], p[1], s, real(0.1)};
                             RUN(d, running_stats_update, &stats, 1);
                         }});
        for (const Activation act : {none, relu}) {
            cases.push_back({"batch_norm",
                             l + " " + text(act),
                             {n, n, 2 * c, c, c},
                             CALL(batch_norm<real>, p[0], p[1], p[2], p[3], p[4], s, real(1e-5), act)});
            cases.push_back({"batch_norm_grad",
                             l + " " + text(act),
                             {n, c, c, n, n, n, 2 * c, c},
                             CALL(batch_norm_grad<real>, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], s, real(1e-5), act)});
        }
    }
    // Moments started in the epilogue of a matrix product, without and with split K.
    for (const MatmulShape s : {MatmulShape{1664, 1536, 32, false, true}, {64, 512, 1024, false, true}})
        cases.push_back({"matmul",
                         std::to_string(s.M) + "x" + std::to_string(s.N) + "x" + std::to_string(s.K) + " with moments",
                         {s.M * s.N, 2 * s.N, s.M * s.K, s.N * s.K},
                         CALL(matmul<real>, p[0], p[1], p[2], p[3], nullptr, s, none),
                         "_deviations_kernel"});
    return cases;
}

std::vector<CountedCase> optimizers() {
    const int64_t n = 100'352;
    const std::string l = std::to_string(n);
    static constexpr RmspropParameters with_momentum{.momentum = 0.9};
    static constexpr SgdParameters nesterov{.momentum = 0.9, .nesterov = true};
    const auto state = [](Device d) {
        static const DeviceValue<OptimizerState> value(d, {.lr = 1e-3, .updates = 1, .correction1 = 0.5, .correction2 = 0.1});
        return static_cast<const OptimizerState*>(value.data());
    };
    return {
        {"adam_update", l, {n, n, n, n}, CALL(adam_update<real>, p[0], p[1], p[2], p[3], state(d), {}, n)},
        {"rmsprop_update", l, {n, n, n}, CALL(rmsprop_update<real>, p[0], p[1], nullptr, p[2], state(d), {}, n)},
        {"rmsprop_update",
         l + " momentum",
         {n, n, n, n},
         CALL(rmsprop_update<real>, p[0], p[1], p[2], p[3], state(d), with_momentum, n)},
        {"sgd_update", l, {n, n}, CALL(sgd_update<real>, p[0], nullptr, p[1], state(d), {}, n)},
        {"sgd_update", l + " momentum", {n, n, n}, CALL(sgd_update<real>, p[0], p[1], p[2], state(d), nesterov, n)},
        {"lion_update", l, {n, n, n}, CALL(lion_update<real>, p[0], p[1], p[2], state(d), {}, n)},
        {"clip_update", l, {n}, CALL(clip_update<real>, p[0], real(0.01), n)},
        {"accumulate_update", l, {n, n}, CALL(accumulate_update<real>, p[0], p[1], n)},
    };
}

std::vector<CountedCase> gathers() {
    std::vector<CountedCase> cases;
    for (const int64_t per_image : {784, 3 * 32 * 32, 3 * 64 * 64}) {
        const GatherShape s{.count = 100, .usable = 64, .per_image = per_image, .batch = 64, .seed = 42};
        cases.push_back({"gather_images",
                         "64x" + std::to_string(per_image),
                         {s.batch * per_image},
                         [=](Device d, const std::vector<real*>& p) {
                             static std::map<int64_t, Tensor> images;
                             Tensor& bytes = images[per_image];
                             if (!bytes)
                                 bytes = Tensor::from_bytes(std::vector<uint8_t>(std::size_t(s.count * per_image), 100),
                                                            {s.count * per_image}, d);
                             RUN(d, gather_images<real>, p[0], bytes.bytes(), test_counters(d), s);
                         }});
    }
    return cases;
}

std::vector<CountedCase> loss_cases() {
    std::vector<CountedCase> cases;
    for (const int64_t n : {64, 64 * 196})
        for (const LossInfo& row : losses()) {
            const LossForm form{row.kind, 1, 0};
            const std::string l = std::to_string(n) + " kind " + std::to_string(int(row.kind));
            cases.push_back({"loss", l, {1, n}, CALL(loss<real>, p[0], p[1], nullptr, form, n)});
            cases.push_back({"loss_grad", l, {n, n, 1}, CALL(loss_grad<real>, p[0], p[1], p[2], form, n)});
        }
    const RowsShape rows{128, 16};
    cases.push_back({"cross_entropy",
                     "128x16",
                     {1, rows.rows, rows.size(), rows.rows},
                     CALL(cross_entropy<real>, p[0], p[1], p[2], p[3], rows)});
    cases.push_back({"cross_entropy_grad",
                     "128x16",
                     {rows.size(), rows.size(), rows.rows, rows.rows, 1},
                     CALL(cross_entropy_grad<real>, p[0], p[1], p[2], p[3], p[4], rows)});
    const int64_t parameters = 1'000'448;
    cases.push_back({"norm2", std::to_string(parameters), {1, parameters}, CALL(norm2<real>, p[0], p[1], parameters)});
    for (const RowsShape s : {RowsShape{64, 784}, {64, 3 * 64 * 64}}) {
        cases.push_back(
            {"gradient_penalty", text(s), {1, s.rows, s.size()}, CALL(gradient_penalty<real>, p[0], p[1], p[2], 1, 10, s)});
        cases.push_back({"gradient_penalty_grad",
                         text(s),
                         {s.size(), s.size(), s.rows, 1},
                         CALL(gradient_penalty_grad<real>, p[0], p[1], p[2], p[3], 1, 10, s)});
    }
    return cases;
}

// All tile sizes and transposed forms, with and without split K, with and without tensor cores.
std::vector<CountedCase> products() {
    std::vector<CountedCase> cases;
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16})
        for (const int form : {0, 1, 2, 3})
            for (MatmulShape s : {MatmulShape{32, 64, 96}, {64, 512, 1024}, {1024, 256, 64}, {1664, 1536, 32}}) {
                s.transpose_a = form & 1, s.transpose_b = form & 2;
                const std::string l = std::to_string(s.M) + "x" + std::to_string(s.N) + "x" + std::to_string(s.K) + " form " +
                                      std::to_string(form) + " precision " + std::to_string(int(precision));
                const Activation leaky{ActivationKind::leaky_relu, real(0.2)};
                cases.push_back(
                    {"matmul", l, {s.M * s.N, s.M * s.K, s.K * s.N, s.N}, [=](const Device& usual, const std::vector<real*>& p) {
                         const Device d = usual.with({.precision = precision, .matmul = MatmulChoice::own});
                         RUN(d, matmul<real>, p[0], nullptr, p[1], p[2], p[3], s, leaky);
                     }});
            }
    return cases;
}

std::vector<CountedCase> convolutions() {
    std::vector<CountedCase> cases;
    const auto add_case = [&](const std::string& kernel, const ConvShape& s) {
        const int64_t x = s.in_size(), y = s.out_size(), w = s.filter_size();
        const real* const none = nullptr;
        const Activation act{};
        if (kernel == "conv2d")
            cases.push_back({kernel, text(s), {y, x, w}, CALL(conv2d<real>, p[0], nullptr, p[1], p[2], none, s, act)});
        if (kernel == "conv2d_dgrad")
            cases.push_back({kernel, text(s), {x, y, w}, CALL(conv2d_dgrad<real>, p[0], nullptr, p[1], p[2], none, s, act)});
        if (kernel == "conv2d_wgrad")
            cases.push_back({kernel, text(s), {w, x, y}, CALL(conv2d_wgrad<real>, p[0], p[1], p[2], s)});
    };
    for (const ConvShape& s : {ConvShape{8, 14, 14, 64, 7, 7, 128, 4, 4, 2, 1},  // DCGAN
                               ConvShape{4, 28, 28, 1, 14, 14, 64, 4, 4, 2, 1},  // one input channel
                               ConvShape{4, 28, 28, 64, 14, 14, 3, 4, 4, 2, 1},  // few output channels
                               ConvShape{8, 8, 8, 32, 8, 8, 32, 3, 3, 1, 1}})    // stride 1
        for (const char* kernel : {"conv2d", "conv2d_dgrad", "conv2d_wgrad"}) add_case(kernel, s);
    // The largest tiles.
    add_case("conv2d", {18, 64, 64, 8, 32, 32, 128, 2, 2, 2, 0});
    add_case("conv2d_dgrad", {18, 64, 64, 128, 32, 32, 8, 2, 2, 2, 0});
    add_case("conv2d_wgrad", {1, 8, 8, 264, 4, 4, 512, 4, 4, 2, 1});
    return cases;
}

std::vector<CountedCase> transposes() {
    std::vector<CountedCase> cases;
    for (const TransposeShape s : {TransposeShape{64, 49, 128}, {16, 256, 64}, {1, 512, 784}})
        cases.push_back({"transpose",
                         std::to_string(s.batch) + "x" + std::to_string(s.rows) + "x" + std::to_string(s.cols),
                         {s.size(), s.size()},
                         CALL(transpose<real>, p[0], p[1], s)});
    return cases;
}

// Control: one float beyond an aligned address, the 128 bytes of a warp span five sectors instead of four.
std::vector<CountedCase> misaligned() {
    const int64_t n = 64 * 784;
    return {{"add", "misaligned", {n + 1, n + 1, n + 1}, CALL(add<real>, p[0] + 1, p[1] + 1, p[2] + 1, n)}};
}

}  // namespace

TEST_CASE("counters: elementwise kernels request no excess sectors") { check_counter(elementwise(), "global_excess"); }
TEST_CASE("counters: batch norms request no excess sectors") { check_counter(batch_norms(), "global_excess"); }
TEST_CASE("counters: optimizers request no excess sectors") { check_counter(optimizers(), "global_excess"); }
TEST_CASE("counters: gathers request no excess sectors") { check_counter(gathers(), "global_excess"); }
TEST_CASE("counters: losses request no excess sectors") { check_counter(loss_cases(), "global_excess"); }
TEST_CASE("counters: matrix products have no bank conflicts") { check_counter(products(), "bank_conflict"); }
TEST_CASE("counters: convolutions have no bank conflicts") { check_counter(convolutions(), "bank_conflict"); }
TEST_CASE("counters: transposes have no bank conflicts") { check_counter(transposes(), "bank_conflict"); }
TEST_CASE("counters: misaligned reads are counted") { check_counter(misaligned(), "global_excess", 1.2, 1.3); }

// ---- launches --------------------------------------------------------------------------------------------------------

namespace {

// The fused layers of a network: entries of its plan, each a layer with the activation that follows it. A reshape that moves no
// data does not count. A layer has up to three directions: forward, data gradient (not in the first layer of a network whose
// input needs no gradient) and weight gradient (only with weights).
struct FusedLayers {
    int all = 0, weighted = 0;
    bool smooth = false;  // has nonzero second derivatives

    explicit FusedLayers(const Sequence& sequence) {
        for (const Sequence::Step& step : sequence.plan) {
            const Module& layer = *sequence.layers[step.layer];
            REQUIRE(layer.children.empty());
            if (layer.describe().forward_values == 0) continue;
            ++all;
            weighted += !layer.parameters.empty();
            smooth = smooth || layer.traits.curved ||
                     (step.activation >= 0 && sequence.layers[std::size_t(step.activation)]->traits.curved);
        }
    }
    int forward() const { return all; }
    int backward() const { return all - 1 + weighted; }  // the input needs no gradient
    int data_gradient() const { return all; }            // the weights need none
};

struct Budget {
    int directions = 0, updates = 0;
    int launches() const { return 2 * directions + 8 * updates; }
};

// Counts the directions of all layers in a step. Each update has 8 more launches, for images, latents, losses and optimizer.
Budget budget(GanTrainer& trainer) {
    const Objective& o = trainer.objective();
    const FusedLayers g(trainer.generator().layers()), d(trainer.discriminator().layers());
    const int passes = (has(trainer.usual_plan(), gan::Scores::joined) && !has(trainer.usual_plan(), gan::Scores::shared))
                           ? 1
                           : 2;  // reals and fakes separately
    Budget b;
    for (int i = 0; i < o.critic_steps; ++i, ++b.updates) {
        const bool reused = o.reuse_fakes && o.generator_first && i == 0;
        int of_batch = (reused ? 0 : g.forward()) + passes * (d.forward() + d.backward());
        if (reused && has(trainer.usual_plan(), gan::Scores::shared)) of_batch -= d.forward();
        if (o.penalty) {
            of_batch += d.forward() + d.data_gradient();     // scores of the mixed images, and their gradient
            of_batch += d.forward() + d.weighted;            // derivative of that gradient: forward again, and weight gradients
            if (d.smooth) of_batch += d.backward() + d.all;  // and back through the scores
        }
        b.directions += o.discriminator_batches * of_batch;
    }
    for (int i = 0; i < o.generator_steps; ++i, ++b.updates) {
        const bool reused = o.reuse_fakes && !o.generator_first && i == 0;
        b.directions += o.generator_batches * ((reused ? 0 : g.forward()) + d.forward() + d.data_gradient() + g.backward());
    }
    return b;
}

}  // namespace

// At most 2 launches per fused layer and direction, and 8 more per update.
TEST_CASE("counters: launches of a training iteration") {
    const std::string why = Device::cuda_unusable();
    if (!why.empty()) return skipped(why.c_str());
    const auto check = [](const std::string& model, Trainer& trainer, const Budget& most) {
        CAPTURE(model);
        for (int step = 0; step < 2; ++step) trainer.step();
        REQUIRE(trainer.recorded());
        const int found = trainer.recorded()->kernels();
        MESSAGE(model, ": ", found, " launches, at most 2 x ", most.directions, " + 8 x ", most.updates, " = ", most.launches());
        CHECK(found <= most.launches());
    };
    for (const std::string model : {"vanilla", "dcgan", "wgan", "keras-mlp", "wgan-clip", "dcgan64", "wgan-gp64"}) {
        GanTrainer trainer(small_config(model), model.ends_with("64") ? few_colour_images() : few_images(), Device::cuda());
        check(model, trainer, budget(trainer));
    }
    ClassifierTrainer classifier(small_classifier(), few_images(), Device::cuda());
    const FusedLayers layers(classifier.network().layers());
    check("classifier-mnist", classifier, {layers.forward() + layers.backward(), 1});
}
