// Whole training runs: agreement with PyTorch, reproducibility, bookkeeping.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "base/files.h"
#include "engine/classifier/trainer.h"
#include "engine/gan/trainer.h"
#include "engine/run/training.h"
#include "engine/train/checkpoint.h"
#include "tests/temporary.h"
#include "tests/threads.h"
#include "tests/training_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

const char* const models[] = {"vanilla", "dcgan", "wgan"};

const Dataset& mnist() {
    static const Dataset data = load_dataset({}, threads());
    return data;
}

// The bytes of a checkpoint after `steps` steps.
std::string state_after(const config::GanConfig& config, int steps, const std::string& start = "", const std::string& save = "",
                        const Device& device = Device::cpu()) {
    const TemporaryFolder folder;
    GanTrainer trainer(config, few_images(), device);
    if (!start.empty()) restore(load_checkpoint(start), trainer);
    while (trainer.step_count() < steps) trainer.step();
    const std::string file = save.empty() ? folder / "checkpoint.safetensors" : save;
    write_safetensors(file, checkpoint_of(trainer, {}));
    return read_file(file);
}

double norm_without(const Network& network, const json::Value& without) {
    double sum = 0;
    for (const auto& p : network.parameters()) {
        bool skip = false;
        for (const auto& name : std::get<json::List>(without.data)) skip = skip || std::get<std::string>(name.data) == p->name;
        if (skip) continue;
        for (real g : network.gradients()[p->index].to_host()) sum += double(g) * double(g);
    }
    return std::sqrt(sum);
}

double number(const json::Value& value) {
    return std::holds_alternative<int64_t>(value.data) ? double(std::get<int64_t>(value.data)) : std::get<double>(value.data);
}

double norm_of(const Tensor& x) {
    double sum = 0;
    for (real v : x.to_host()) sum += double(v) * double(v);
    return std::sqrt(sum);
}

}  // namespace

// tools/golden_train.py runs the same models in PyTorch in float64, with the same draws (made by NumPy). Tolerances come from
// golden_train.py --sensitivity: a relative change of 1e-15 in all weights changes these numbers by less than 1e-13, so the
// double build must agree to 1e-9. A change of 1e-7 changes them by up to 4e-4, so the float build must agree to 1e-3 at first.
// In float, the input of some leaky ReLU eventually has another sign than in float64 (dcgan: in step 21 on every instruction
// set). After that the runs diverge: losses by up to 1e-3, gradient norms by up to 1/8.
TEST_CASE("training: 50 steps of each model agree with PyTorch in float64") {
    struct Limits {
        int from;
        double losses, norms;
    };
    const std::vector<Limits> limits =
        sizeof(real) == 8 ? std::vector<Limits>{{0, 1e-9, 1e-9}} : std::vector<Limits>{{0, 1e-3, 1e-3}, {20, 5e-3, 0.25}};
    for (const std::string model : models) {
        CAPTURE(model);
        const config::GanConfig config = golden_config(model);
        const json::Value golden = json::load("tests/goldens/train_" + model + ".json");
        const json::Value& steps = *golden.find("steps");
        GanTrainer trainer(config, mnist(), Device::cpu());
        double worst = 0;
        std::string where;
        // Errors are relative to the expected value, or to 0.01 where it is smaller.
        const auto compare = [&](const std::string& what, double value, const json::Value& expected, double tolerance) {
            const double error = std::abs(value - number(expected)) / std::max(std::abs(number(expected)), 0.01);
            CAPTURE(what);
            CHECK(error < tolerance);
            if (!(error <= worst)) worst = error, where = what;
        };
        const auto row = [&](const char* key, std::size_t i) -> const json::Value& {
            return std::get<json::List>(steps.find(key)->data)[i];
        };
        for (std::size_t i = 0; i < 50; ++i) {
            trainer.step();
            const StepLosses losses = trainer.losses();
            const std::string step = " of step " + std::to_string(i);
            const Limits& limit = int(i) < limits.back().from ? limits.front() : limits.back();
            compare("loss_d" + step, losses.loss_d, row("loss_d", i), limit.losses);
            compare("loss_g" + step, losses.loss_g, row("loss_g", i), limit.losses);
            compare("gradient norm of D" + step, norm_without(trainer.discriminator(), *golden.find("without")),
                    row("grad_norm_d", i), limit.norms);
            compare("gradient norm of G" + step, norm_without(trainer.generator(), *golden.find("without")),
                    row("grad_norm_g", i), limit.norms);
        }
        for (const Network* network : {&trainer.generator(), &trainer.discriminator()}) {
            compare(network->name(), norm_of(network->flat_values()), *golden.find("parameter_norm")->find(network->name()),
                    limits.back().losses);
            for (const auto& p : network->parameters())
                if (const json::Value* norm = golden.find("parameter_norms")->find(p->name))
                    compare(p->name, norm_of(network->values()[p->index]), *norm, limits.back().losses);
            for (const Variable* b : network->buffers())
                compare(b->name, norm_of(b->in(network->flat_buffers())), *golden.find("statistic_norms")->find(b->name),
                        limits.back().losses);
        }
        MESSAGE(model << ": worst relative error " << worst << ", " << where);
    }
}

TEST_CASE("training: the same seed gives the same bits, another seed different ones") {
    for (const std::string model : models) {
        CAPTURE(model);
        const std::string first = state_after(golden_config(model), 3);
        CHECK(first == state_after(golden_config(model), 3));
        CHECK(first != state_after(golden_config(model, {"seed=77"}), 3));
    }
}

TEST_CASE("training: one thread and several give the same bits") {
    for (const std::string model : models) {
        CAPTURE(model);
        const config::GanConfig config = golden_config(model, {"batch=13"});
        const auto with = [&](int threads) {
            return state_after(config, 2, "", "", Device::cpu(Device::best_isa(), {}, threads));
        };
        const std::string one = with(1);
        for (const int threads : {2, 3}) CHECK(one == with(threads));
    }
}

TEST_CASE("training: a resumed run equals an uninterrupted one, bit for bit") {
    for (const std::string model : models) {
        CAPTURE(model);
        const TemporaryFolder folder;
        const std::string half = folder / "half.safetensors";
        const config::GanConfig config = golden_config(model);
        state_after(config, 3, "", half);
        CHECK(state_after(config, 7) == state_after(config, 7, half));
    }
}

TEST_CASE("training: a step leaks no tensor, and a warm step requests no system memory") {
    for (const std::string model : models) {
        CAPTURE(model);
        GanTrainer trainer(golden_config(model), few_images(), Device::cpu());
        trainer.step();
        trainer.step();
        const int64_t tensors = live_tensors(), calls = Device::cpu().memory().system_calls;
        for (int i = 0; i < 3; ++i) trainer.step();
        CHECK(live_tensors() == tensors);
        CHECK(Device::cpu().memory().system_calls == calls);
    }
}

TEST_CASE("training: fused forms and separate layers agree") {
    // Rounding differs by a few ulps per layer. Adam's first updates, which mostly depend on the sign, amplify it.
    const double tolerance = sizeof(real) == 8 ? 1e-9 : 2e-3;
    for (const std::string model : models) {
        CAPTURE(model);
        GanTrainer fused(golden_config(model), few_images(), Device::cpu());
        GanTrainer separate(golden_config(model, {"fuse=false"}), few_images(), Device::cpu());
        CHECK(fused.generator().layers().plan.size() < separate.generator().layers().plan.size());
        for (int i = 0; i < 3; ++i) {
            fused.step();
            separate.step();
            const StepLosses a = fused.losses(), b = separate.losses();
            CHECK(a.loss_d == doctest::Approx(b.loss_d).epsilon(tolerance));
            CHECK(a.loss_g == doctest::Approx(b.loss_g).epsilon(tolerance));
            CHECK(a.grad_norm_d == doctest::Approx(b.grad_norm_d).epsilon(tolerance));
            CHECK(a.grad_norm_g == doctest::Approx(b.grad_norm_g).epsilon(tolerance));
        }
    }
}

// One forward pass of the discriminator on the fakes serves both updates. The bits, including the running statistics, must equal
// those of two passes.
TEST_CASE("training: shared scores do not change the bits") {
    const std::vector<std::vector<std::string>> schedules = {
        {"objective.update_order=generator_first"},
        {"objective.update_order=generator_first", "objective.generator_steps=2", "objective.critic_steps=2"},
        {"objective.update_order=generator_first", "objective.accumulate.generator=2", "objective.accumulate.discriminator=2"},
        {"objective.update_order=generator_first", "objective.generator_steps=3", "objective.accumulate.discriminator=3"},
        {"objective.update_order=generator_first", "objective.weight_clip=0.01", "objective.clip_when=before"}};
    for (const std::string model : {"vanilla", "dcgan", "wgan"})
        for (std::vector<std::string> settings : schedules) {
            if (model == "wgan" && settings.back() == "objective.clip_when=before")
                settings.push_back("objective.gradient_penalty=null");
            CAPTURE(model);
            CAPTURE(settings.size());
            settings.push_back("objective.fakes=reuse");
            settings.push_back("join_batches=false");  // joined batches change the order of the sums
            GanTrainer shared(golden_config(model, settings), few_images(), Device::cpu());
            settings.push_back("share_scores=false");
            GanTrainer separate(golden_config(model, settings), few_images(), Device::cpu());
            CHECK(has(shared.plan(), gan::Scores::shared) == (settings[1] != "objective.weight_clip=0.01"));
            CHECK(!has(separate.plan(), gan::Scores::shared));
            for (int i = 0; i < 2; ++i) shared.step(), separate.step();
            CHECK(shared.losses().loss_d == separate.losses().loss_d);
            for (const auto network : {&GanTrainer::generator, &GanTrainer::discriminator}) {
                const Network &a = (shared.*network)(), &b = (separate.*network)();
                CHECK(a.flat_values().to_host() == b.flat_values().to_host());
                CHECK(a.flat_buffers().to_host() == b.flat_buffers().to_host());
            }
        }
}

// Sums over the joined batch are rounded in another order than sums over each batch: an error of about sqrt(2 batch) roundings.
TEST_CASE("training: joining real and fake images in one batch changes only the rounding") {
    const double tolerance = sizeof(real) == 8 ? 1e-11 : 1e-4;
    for (const std::string model : {"vanilla", "wgan", "dcgan"}) {
        CAPTURE(model);
        const std::vector<std::string> fresh = {"objective.fakes=fresh", "objective.update_order=discriminator_first"};
        GanTrainer joined(golden_config(model, fresh), few_images(), Device::cpu());
        std::vector<std::string> settings = fresh;
        settings.push_back("join_batches=false");
        GanTrainer separate(golden_config(model, settings), few_images(), Device::cpu());
        joined.step();
        separate.step();
        const StepLosses a = joined.losses(), b = separate.losses();
        CHECK(a.loss_d == doctest::Approx(b.loss_d).epsilon(tolerance));
        CHECK(a.grad_norm_d == doctest::Approx(b.grad_norm_d).epsilon(tolerance));
        CHECK(a.grad_norm_g == doctest::Approx(b.grad_norm_g).epsilon(100 * tolerance));  // amplified by the update of D
        // Batch norm couples samples, so dcgan's batches are not joined.
        const bool same =
            joined.discriminator().flat_gradients().to_host() == separate.discriminator().flat_gradients().to_host();
        CHECK(same == (model == "dcgan"));
    }
}

TEST_CASE("training: every objective and schedule runs, moves both networks and stays finite") {
    const std::vector<std::vector<std::string>> variants = {
        {"objective.loss=hinge"},
        {"objective.loss=least_squares"},
        {"objective.loss=bce_with_logits", "objective.generator_loss=saturating"},
        {"objective.loss=bce_with_logits", "objective.discriminator_loss=sum", "objective.real_label=0.9"},
        {"objective.loss=wasserstein", "objective.weight_clip=0.01"},
        {"objective.gradient_penalty.norm=channel"},
        {"objective.gradient_penalty.norm=batch"},
        {"objective.generator_steps=3", "objective.update_order=generator_first"},
        {"objective.fakes=reuse", "objective.update_order=generator_first"},
        {"objective.fakes=reuse", "objective.update_order=discriminator_first", "objective.generator_steps=2"},
        {"objective.accumulate.discriminator=3", "objective.accumulate.generator=2", "objective.accumulate.reduction=sum"},
        {"latent.distribution=uniform"},
        {"optimizer={\"type\": \"rmsprop\", \"lr\": 1e-4, \"momentum\": 0.5}"},
        {"optimizer={\"type\": \"sgd\", \"lr\": 1e-4, \"momentum\": 0.9, \"nesterov\": true}"},
        {"optimizer={\"type\": \"lion\", \"lr\": 1e-5}"},
    };
    for (std::vector<std::string> settings : variants) {
        CAPTURE(settings[0]);
        settings.push_back("objective.critic_steps=2");
        if (settings[0].starts_with("objective.loss") && settings[0] != "objective.loss=wasserstein")
            settings.push_back("objective.gradient_penalty=null");
        const config::GanConfig config = golden_config("wgan", settings);
        GanTrainer trainer(config, few_images(), Device::cpu());
        const std::vector<real> g = trainer.generator().flat_values().to_host(),
                                d = trainer.discriminator().flat_values().to_host();
        for (int i = 0; i < 2; ++i) trainer.step();
        const StepLosses losses = trainer.losses();
        for (double value : {losses.loss_d, losses.loss_g, losses.grad_norm_d, losses.grad_norm_g}) CHECK(std::isfinite(value));
        CHECK(g != trainer.generator().flat_values().to_host());
        CHECK(d != trainer.discriminator().flat_values().to_host());
        CHECK(trainer.images_seen() == 2 * 2 * trainer.objective().discriminator_batches * config.batch);
        if (config.objective.clip)
            for (real w : trainer.discriminator().flat_values().to_host()) CHECK(std::abs(w) <= real(0.01));
    }
}

// If no layer couples the samples of a batch, the mean over two batches of 4 equals the mean over one batch of 8. The random
// draws of a sample do not depend on the batch.
TEST_CASE("training: accumulated batches equal one large batch") {
    std::vector<std::string> settings = {
        "generator=[{\"layer\": \"linear\", \"units\": \"image\"}, {\"layer\": \"tanh\"}, {\"layer\": \"reshape\", \"shape\": "
        "\"image\"}]",
        "data.shuffle=false"};
    GanTrainer whole(golden_config("wgan", settings), few_images(), Device::cpu());
    settings.insert(settings.end(), {"batch=4", "objective.accumulate.discriminator=2", "objective.accumulate.generator=2",
                                     "objective.accumulate.reduction=mean"});
    GanTrainer halves(golden_config("wgan", settings), few_images(), Device::cpu());
    whole.step();
    halves.step();
    const double tolerance = sizeof(real) == 8 ? 1e-10 : 1e-3;
    const StepLosses a = whole.losses(), b = halves.losses();
    CHECK(a.loss_d == doctest::Approx(b.loss_d).epsilon(tolerance));
    CHECK(a.loss_g == doctest::Approx(b.loss_g).epsilon(tolerance));
    CHECK(a.grad_norm_d == doctest::Approx(b.grad_norm_d).epsilon(tolerance));
    CHECK(a.grad_norm_g == doctest::Approx(b.grad_norm_g).epsilon(tolerance));
}

TEST_CASE("training: reused fakes are the same for both networks") {
    for (const std::string order : {"generator_first", "discriminator_first"}) {
        CAPTURE(order);
        GanTrainer trainer(golden_config("dcgan", {"objective.fakes=reuse", "objective.update_order=" + order}), few_images(),
                           Device::cpu());
        Trace trace;
        trainer.step(&trace);
        const Array *d = trace.content.find("s0.d0.z"), *g = trace.content.find("s0.g0.z");
        REQUIRE(d);
        REQUIRE(g);
        CHECK(d->data == g->data);
    }
    GanTrainer trainer(golden_config("dcgan", {"objective.fakes=fresh"}), few_images(), Device::cpu());
    Trace trace;
    trainer.step(&trace);
    CHECK(trace.content.find("s0.d0.z")->data != trace.content.find("s0.g0.z")->data);
}

TEST_CASE("training: a trace has the dropout masks of both kinds of trainings") {
    Trace trace;
    GanTrainer(golden_config("vanilla", {"discriminator.2={\"layer\": \"dropout\"}"}), few_images(), Device::cpu()).step(&trace);
    CHECK(trace.content.find("s0.d0.mask.discriminator.2.real"));
    CHECK(trace.content.find("s0.g0.mask.discriminator.2.fake"));
    ClassifierTrainer(small_classifier({"classifier.6={\"layer\": \"dropout\"}"}), few_images(), Device::cpu()).step(&trace);
    CHECK(trace.content.find("s0.c0.mask.classifier.6.real"));
}

TEST_CASE("training: epochs are converted to steps") {
    const auto steps_of = [](const std::vector<std::string>& settings) {
        const config::GanConfig config = golden_config("wgan", settings);
        return total_steps(config, GanTrainer(config, few_images(), Device::cpu()));  // 100 images
    };
    CHECK(steps_of({"epochs=2", "batch=8", "objective.critic_steps=1"}) == 24);  // an epoch is 12 batches
    CHECK(steps_of({"epochs=2", "batch=8", "objective.critic_steps=5"}) == 4);
    CHECK(steps_of({"epochs=1", "batch=50", "objective.critic_steps=5"}) == 1);
    CHECK(steps_of({"steps=17"}) == 17);
    // 2 steps of 4 updates, then 16 steps of 1 update: 24 batches
    CHECK(steps_of({"epochs=2", "batch=8", "objective.critic_steps=1",
                    "objective.critic_warm_up={\"steps\": 2, \"every\": 0, \"critic_steps\": 4}"}) == 18);
}

TEST_CASE("training: critic steps during warm-up") {
    const Objective o =
        golden_config("wgan", {"objective.critic_steps=5", "objective.critic_warm_up={\"steps\": 25, \"every\": 500}"}).objective;
    int64_t before = 0;
    for (int64_t step = 0; step < 1200; ++step) {
        const int expected = step < 25 || step % 500 == 0 ? 100 : 5;
        CAPTURE(step);
        REQUIRE(o.critic_steps_before(step) == before);
        REQUIRE(o.critic_steps_at(step) == expected);
        before += expected;
    }
    const config::GanConfig config = golden_config(
        "wgan",
        {"batch=8", "objective.critic_steps=1", "objective.critic_warm_up={\"steps\": 1, \"every\": 3, \"critic_steps\": 2}"});
    const TemporaryFolder folder;
    GanTrainer trainer(config, few_images(), Device::cpu());
    for (int i = 0; i < 5; ++i) trainer.step();
    CHECK(trainer.images_seen() == 8 * (2 + 1 + 1 + 2 + 1));
    state_after(config, 2, "", folder / "half");
    CHECK(state_after(config, 5, folder / "half") == state_after(config, 5));
}

TEST_CASE("training: clipping before the update does not bound the updated weights") {
    const auto largest_after = [](const std::string& when) {
        GanTrainer trainer(golden_config("wgan", {"objective.gradient_penalty=null", "objective.weight_clip=0.01",
                                                  "objective.clip_when=" + when, "optimizer.lr=1e-3"}),
                           few_images(), Device::cpu());
        trainer.step();
        double most = 0;
        for (const real w : trainer.discriminator().flat_values().to_host()) most = std::max(most, std::abs(double(w)));
        return most;
    };
    CHECK(largest_after("after") <= 0.0100001);
    CHECK(largest_after("before") > 0.0105);
    CHECK(largest_after("before") < 0.02);
    const auto weights_after = [](bool clipped) {  // one step from weights beyond the limit, or on it
        GanTrainer trainer(golden_config("wgan", {"objective.gradient_penalty=null", "objective.weight_clip=0.01",
                                                  "objective.clip_when=before", "objective.critic_steps=1"}),
                           few_images(), Device::cpu());
        const Tensor& weights = trainer.discriminator().flat_values();
        if (clipped) RUN(weights.device(), clip_update, weights.data(), real(0.01), weights.size());
        trainer.step();
        return weights.to_host();
    };
    CHECK(weights_after(false) == weights_after(true));  // the gradients are those of clipped weights
}

TEST_CASE("checkpoint: loading another network's file names the array that does not fit") {
    const TemporaryFolder folder;
    const std::string file = folder / "checkpoint.safetensors";
    state_after(golden_config("vanilla"), 1, "", file);
    GanTrainer other(golden_config("dcgan"), few_images(), Device::cpu());
    CHECK_THROWS_WITH_AS(restore(load_checkpoint(file), other), doctest::Contains("generator.0.weight"), Error);
    CHECK_THROWS_WITH_AS(check_same_config(load_checkpoint(file), golden_config("vanilla", {"optimizer.lr=1e-3"}).effective),
                         doctest::Contains("'optimizer.lr'"), Error);
    check_same_config(load_checkpoint(file), golden_config("vanilla", {"steps=99", "samples.rows=2"}).effective);
}

TEST_CASE("checkpoint: loading a state that is not finite names the first such array") {
    const TemporaryFolder folder;
    const std::string file = folder / "checkpoint.safetensors";
    const config::GanConfig config = golden_config("vanilla");
    state_after(config, 1, "", file);
    const Safetensors sound = read_safetensors(file);
    const auto with = [&](std::initializer_list<const char*> names, real value) {
        Safetensors content = sound;
        for (Array& array : content.arrays)
            for (const char* name : names)
                if (array.name == name) std::memcpy(array.data.data() + array.data.size() - sizeof value, &value, sizeof value);
        write_safetensors(file, content);
    };
    GanTrainer trainer(config, few_images(), Device::cpu());
    const auto error = [&](std::initializer_list<const char*> names, real value) {
        with(names, value);
        return error_of([&] { restore(load_checkpoint(file), trainer); });
    };
    CHECK(error({"generator.0.weight"}, 1).empty());
    for (const real bad : {real(NAN), real(INFINITY), real(-INFINITY)}) {
        CHECK(has(error({"discriminator.1.weight", "generator.2.bias"}, bad),
                  "'discriminator.1.weight' has values that are not finite (" + file + "): "));
        CHECK(has(error({"optimizer.discriminator.1.weight.exp_avg"}, bad),
                  "'optimizer.discriminator.1.weight.exp_avg' has values"));
    }
    // All arrays of a network are checked before one changes.
    trainer.step();
    const std::vector<real> before = trainer.generator().flat_values().to_host();
    with({"generator.2.bias"}, NAN);
    CHECK(has(error_of([&] { load_state(open_safetensors(file), file, trainer.generator(), nullptr); }), "not finite"));
    CHECK(trainer.generator().flat_values().to_host() == before);
    // generate and evaluate load one network, but refuse a state of which any array is not finite. --init loads no checkpoint.
    with({"discriminator.1.weight"}, NAN);
    CHECK(has(error_of([&] { load_checkpoint(file); }), "'discriminator.1.weight' has values that are not finite"));
    const Safetensors diverged = read_safetensors(file);
    for (const std::string type : {"F32", "F64"}) {  // of any precision
        Safetensors content = sound;
        for (Array& array : content.arrays) {
            if (array.name != "discriminator.1.weight") continue;
            int64_t count = 1;
            for (const int64_t extent : array.shape) count *= extent;
            array = type == "F32" ? make_array(array.name, array.shape, std::vector<float>(std::size_t(count), NAN))
                                  : make_array(array.name, array.shape, std::vector<double>(std::size_t(count), NAN));
        }
        write_safetensors(file, content);
        CHECK(has(error_of([&] { load_checkpoint(file); }), "'discriminator.1.weight' has values that are not finite"));
    }
    load_state(diverged, file, trainer.generator(), nullptr);
    CHECK(has(error_of([&] { load_state(diverged, file, trainer.discriminator(), nullptr); }), "not finite"));
}
