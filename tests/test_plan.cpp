// The plan of a step: the printed plan of every preset, and losses that need both scores at once.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
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
        if (write) std::ofstream(file) << text;
        CHECK_MESSAGE(contents(file) == text, file, " is not what the plan prints; GANNET_WRITE_DOCS=1 writes it");
    }
}

// A loss that needs both scores at once keeps both tapes alive. For a loss that is a sum over the two scores, the gradients are
// the same up to the order of summation.
TEST_CASE("plan: joint and separate scores give the same gradients") {
    for (const std::string model : {"vanilla", "wgan", "dcgan"}) {
        CAPTURE(model);
        const config::GanConfig config = golden_config(model, {"objective.fakes=fresh", "join_batches=false"});
        std::vector<real> gradients[2];
        for (const bool separable : {true, false}) {
            GanTrainer made(config, few_images(), Device::cpu());  // for the initial values
            Objective objective = config.objective;
            LossInfo loss = *objective.loss;
            loss.separable = separable;
            objective.loss = &loss;
            const ImageFeed feed(config, few_images(), 1000, Device::cpu());
            const DeviceValue<Counters> counters(Device::cpu());
            const auto parts = made.parts();
            const std::vector<gan::Plan> plans = {gan::make_plan(objective, {}, config.batch, 1)};
            gan::Step step(config, objective, {made.generator(), made.discriminator(), parts[0].optimizer, parts[1].optimizer},
                           feed, counters, plans, Device::cpu());
            int ready = 0, moved = 0;
            step.gradients_ready.push_back([&](Network& network) {
                ++ready;
                if (network.net() == Net::discriminator) gradients[separable] = network.flat_gradients().to_host();
            });
            step.updated.push_back([&](Network&) { ++moved; });
            gan::StepObserver nobody;
            const std::vector<Tensor> losses = step.run(plans[0], nobody);
            CHECK(has(plans[0], separable ? gan::Scores::separate : gan::Scores::together));
            CHECK(std::isfinite(double(losses[0].item())));
            CHECK(std::isfinite(double(losses[1].item())));
            CHECK(ready == 2);
            CHECK(moved == 2);
        }
        // Sums of at most three terms of similar size, added in another order.
        const double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-4;
        double largest = 0, difference = 0;
        for (std::size_t i = 0; i < gradients[0].size(); ++i) {
            largest = std::max(largest, std::abs(double(gradients[0][i])));
            difference = std::max(difference, std::abs(double(gradients[0][i]) - double(gradients[1][i])));
        }
        CHECK(largest > 0);
        CHECK(difference <= tolerance * largest);
    }
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
