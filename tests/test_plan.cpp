// The plan of a step: the printed plan of every preset, and losses that need both scores at once.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/error.h"
#include "engine/bench/model.h"
#include "engine/gan/trainer.h"
#include "engine/run/networks.h"
#include "tests/training_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

std::string contents(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::vector<std::filesystem::path> presets() {
    std::vector<std::filesystem::path> paths;
    for (const char* folder : {"models", "models/seeds"})
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            if (entry.path().extension() == ".json") paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace

// Two seed presets have networks that do not fit their data and so have no plan; tests/seeds_expected.txt lists them. With
// GANNET_WRITE_DOCS=1, the test writes the files instead.
TEST_CASE("docs: plans of the presets") {
    const std::string expected = contents("tests/seeds_expected.txt");
    const bool write = std::getenv("GANNET_WRITE_DOCS") != nullptr;
    std::set<std::string> files;
    for (const std::filesystem::path& path : presets()) {
        const std::string name = path.stem().string(), file = "tests/plans/" + name + ".txt";
        CAPTURE(name);
        const config::ModelConfig model = config::load_model(path.string(), {});
        if (!std::holds_alternative<config::GanConfig>(model)) continue;
        const config::GanConfig config = config::gan_of(model);
        std::string text;
        try {
            const Networks nets = build_networks(config, declared_images(config).image, Device::cpu());
            text = gan::plans_text(config, *nets[0], *nets[1]);
        } catch (const Error&) {
            const std::size_t line = expected.find("\n" + name + " ");
            REQUIRE(line != std::string::npos);
            CHECK(expected.substr(line + 1, expected.find('\n', line + 1) - line - 1).find(" refused ") != std::string::npos);
            continue;
        }
        files.insert(file);
        if (write) std::ofstream(file) << text;
        CHECK_MESSAGE(contents(file) == text, file, " is not what the plan prints; GANNET_WRITE_DOCS=1 writes it");
    }
    for (const auto& entry : std::filesystem::directory_iterator("tests/plans"))
        CHECK_MESSAGE(files.contains(entry.path().string()), entry.path().string(), " belongs to no preset");
}

// Each key of the objective appears in the plan: two models that differ in it have different plans.
TEST_CASE("plan: models that differ in a key of the objective have different plans") {
    using Settings = std::vector<std::string>;
    struct Row {
        std::string change;  // KEY=VALUE
        Settings base = {};
    };
    const std::string logits = "loss=bce_with_logits", squares = "loss=least_squares", clip = "weight_clip=0.01",
                      two = "accumulate.discriminator=2",
                      warm_up = "critic_warm_up={\"critic_steps\": 3, \"steps\": 2, \"every\": 4}";
    const std::vector<Row> rows = {{"loss=hinge"},
                                   {"generator_loss=saturating", {logits}},
                                   {"discriminator_loss=sum", {squares}},
                                   {"bce_epsilon=1e-3", {"loss=bce"}},
                                   {"real_label=0.9", {squares}},
                                   {"fake_label=0.1", {squares}},
                                   {"critic_steps=7"},
                                   {"generator_steps=2"},
                                   {"update_order=generator_first"},
                                   {"fakes=reuse"},
                                   {"accumulate.discriminator=2"},
                                   {"accumulate.generator=2"},
                                   {"accumulate.reduction=mean", {two}},
                                   {"gradient_penalty.weight=9"},
                                   {"gradient_penalty.norm=batch"},
                                   {"gradient_penalty.norm=channel"},
                                   {"gradient_penalty.target=0"},
                                   {"weight_clip=0.02", {clip}},
                                   {"clip_when=before", {clip}},
                                   {"critic_warm_up.critic_steps=4", {warm_up}},
                                   {"critic_warm_up.steps=3", {warm_up}},
                                   {"critic_warm_up.every=5", {warm_up}}};
    const auto config_of = [](Settings settings) {
        const bool probabilities = std::find(settings.begin(), settings.end(), "loss=bce") != settings.end();
        for (std::string& setting : settings) setting = "objective." + setting;
        if (probabilities)
            settings.push_back(
                "discriminator=[{\"layer\": \"flatten\"}, {\"layer\": \"linear\", \"units\": 1}, {\"layer\": \"sigmoid\"}]");
        return golden_config("wgan", settings);
    };
    const auto plans_of = [&](const Settings& settings) {
        const config::GanConfig config = config_of(settings);
        const Networks nets = build_networks(config, declared_images(config).image, Device::cpu());
        return gan::plans_text(config, *nets[0], *nets[1]);
    };
    std::set<std::string> keys;
    for (const Row& row : rows) {
        CAPTURE(row.change);
        Settings changed = row.base;
        changed.push_back(row.change);
        CHECK(plans_of(row.base) != plans_of(changed));
        keys.insert(row.change.substr(0, row.change.find('=')));
    }
    const config::GanConfig all = config_of({warm_up});
    for (const auto& [key, value] : *all.effective.find("objective")->members()) {
        CAPTURE(key);
        if (const json::Members* inner = value.members())
            for (const auto& [name, unused] : *inner) CHECK(keys.contains(key + "." + name));
        else CHECK(keys.contains(key));
    }
}

namespace {

double loss_of[2];  // by network, as the last call of a made-up loss returned it

Tensor sum_of_both(const LossTerms& terms, Net net, const Tensor& real_scores, const Tensor& fake_scores) {
    return net == Net::generator ? loss(fake_scores, terms.on_generated)
                                 : loss(fake_scores, terms.on_fake, loss(real_scores, terms.on_real));
}

// Relativistic: softplus of the difference of the scores (arXiv 1807.00734).
Tensor of_difference(const LossTerms&, Net net, const Tensor& real_scores, const Tensor& fake_scores) {
    const Tensor difference = sub(fake_scores, real_scores);
    const Tensor value = mean(softplus(net == Net::generator ? scale(difference, -1) : difference));
    loss_of[int(net)] = double(value.item());
    return value;
}

}  // namespace

// A loss that needs both scores at once keeps both tapes alive. For a loss that is a sum over the two scores, the gradients are
// the same up to the order of summation.
TEST_CASE("plan: joint and separate scores give the same gradients") {
    for (const std::string model : {"vanilla", "wgan", "dcgan"}) {
        CAPTURE(model);
        config::GanConfig config = golden_config(model, {"objective.fakes=fresh", "join_batches=false", "share_scores=false"});
        LossInfo row = *config.objective.loss;
        config.objective.loss = &row;
        struct Result {
            std::vector<real> discriminator, generator;
            StepLosses losses;
        };
        const auto gradients_with = [&](auto joint) -> Result {
            row.joint = joint;
            GanTrainer trainer(config, few_images(), Device::cpu());
            CHECK(has(trainer.plan(), joint ? gan::Scores::together : gan::Scores::separate));
            trainer.step();
            return {trainer.discriminator().flat_gradients().to_host(), trainer.generator().flat_gradients().to_host(),
                    trainer.losses()};
        };
        decltype(row.joint) none = nullptr;
        const Result separate = gradients_with(none), together = gradients_with(&sum_of_both),
                     other = gradients_with(&of_difference);
        CHECK(std::isfinite(separate.losses.loss_d));
        CHECK(std::isfinite(separate.losses.loss_g));
        // Sums of at most three terms of similar size, added in another order.
        const double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-4;
        double largest = 0, difference = 0;
        for (std::size_t i = 0; i < separate.discriminator.size(); ++i) {
            largest = std::max(largest, std::abs(double(separate.discriminator[i])));
            difference = std::max(difference, std::abs(double(separate.discriminator[i]) - double(together.discriminator[i])));
        }
        CHECK(largest > 0);
        CHECK(difference <= tolerance * largest);
        // A row with a function of both scores trains with it, not with its `kind`.
        if (!config.objective.penalty) CHECK(other.losses.loss_d == loss_of[int(Net::discriminator)]);
        CHECK(other.losses.loss_g == loss_of[int(Net::generator)]);
        CHECK(other.discriminator != separate.discriminator);
        CHECK(other.generator != separate.generator);
    }
}

TEST_CASE("training: hooks are called in each update, before and after the weights move") {
    std::vector<std::string> calls;
    std::vector<real> before;
    Hooks hooks;
    hooks.gradients_ready.push_back([&](Network& network) {
        calls.push_back(network.name() + " gradients");
        before = network.flat_values().to_host();
        const std::vector<real> gradients = network.flat_gradients().to_host();
        CHECK(std::any_of(gradients.begin(), gradients.end(), [](real g) { return g != 0; }));
    });
    hooks.updated.push_back([&](Network& network) {
        calls.push_back(network.name() + " updated");
        CHECK(network.flat_values().to_host() != before);
    });
    using Calls = std::vector<std::string>;
    GanTrainer(golden_config("vanilla"), few_images(), Device::cpu(), hooks).step();
    CHECK(calls == Calls{"generator gradients", "generator updated", "discriminator gradients", "discriminator updated"});
    calls.clear();
    ClassifierTrainer(small_classifier(), few_images(), Device::cpu(), hooks).step();
    CHECK(calls == Calls{"classifier gradients", "classifier updated"});
}

TEST_CASE("plan: warm-up steps have their own plan") {
    const config::GanConfig config = golden_config(
        "wgan", {"objective.critic_steps=1", "objective.critic_warm_up={\"steps\": 1, \"every\": 3, \"critic_steps\": 2}"});
    const GanTrainer trainer(config, few_images(), Device::cpu());
    CHECK(trainer.plan_of(0) == 1);
    CHECK(trainer.plan_of(1) == 0);
    CHECK(trainer.plan_of(2) == 0);
    CHECK(trainer.plan_of(3) == 1);
    CHECK(trainer.plan().images == 2 * config.batch);
    CHECK(trainer.usual_plan().images == config.batch);
}

// A model that would fit must not be refused for lack of memory.
TEST_CASE("the memory that a plan keeps at least is not more than a step takes") {
    for (const char* name : {"vanilla", "dcgan", "wgan", "wgan-clip"})
        for (const char* join : {"true", "false"}) {
            CAPTURE(name);
            CAPTURE(join);
            const config::GanConfig config =
                config::gan_of(config::load_model(std::string("models/") + name + ".json",
                                                  {"batch=32", "objective.critic_steps=1", std::string("join_batches=") + join}));
            const Dataset images = bench::random_images(config);
            const Device device = Device::cpu();
            GanTrainer trainer(config, images, device);
            // up to the peak of the process, so that the step makes a new one
            const MemoryStats before = device.memory();
            const Tensor filler = Tensor::empty({(before.peak_bytes - before.live_bytes) / int64_t(sizeof(real)) + 1}, device);
            const int64_t live = device.memory().live_bytes;
            trainer.step();
            const double taken = double(device.memory().peak_bytes - live);
            const double kept = trainer.usual_plan().kept_bytes(trainer.generator(), trainer.discriminator());
            CHECK(kept <= taken);
            CHECK(kept > 0.2 * taken);
        }
}

TEST_CASE("plan: its work counts the passes of a step") {
    for (const bool joint : {false, true})
        for (const char* fakes : {"fresh", "reuse"})
            for (const char* join : {"true", "false"}) {
                CAPTURE(joint);
                CAPTURE(fakes);
                CAPTURE(join);
                config::GanConfig config =
                    golden_config("wgan", {std::string("objective.fakes=") + fakes, std::string("join_batches=") + join});
                LossInfo row = *config.objective.loss;
                if (joint) row.joint = &sum_of_both;
                config.objective.loss = &row;
                GanTrainer made(config, few_images(), Device::cpu());
                const gan::Plan& plan = made.usual_plan();
                CHECK((plan.str().find("of real and fake scores together") != std::string::npos) == joint);
                const ImageFeed feed(config, few_images(), 1000, Device::cpu());
                const DeviceValue<Counters> counters(Device::cpu());
                const auto parts = made.parts();
                const gan::Step::Nets nets{made.generator(), made.discriminator(), parts[0].optimizer, parts[1].optimizer};
                gan::Step step(config, nets, feed, counters.address(), {plan}, {}, Device::cpu());
                struct : StepObserver {
                    PassObserver* passes(const std::string&) override { return ++count, nullptr; }
                    int count = 0;
                } passes;
                step.run(plan, passes);
                const Work g = plan.work(Net::generator), d = plan.work(Net::discriminator);
                CHECK(passes.count == g.forward + d.forward - d.joined + d.penalties);
            }
}
