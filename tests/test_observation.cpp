// Observations of a run and the collapse alarm.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/diagnostics/collapse.h"
#include "tests/temporary.h"
#include "tests/threads.h"
#include "tests/training_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

double number(const json::Value* value) {
    REQUIRE(value);
    if (const int64_t* n = std::get_if<int64_t>(&value->data)) return double(*n);
    const double* d = std::get_if<double>(&value->data);
    REQUIRE(d);
    return *d;
}

const json::Value* at(const json::Value& value, std::initializer_list<const char*> path) {
    const json::Value* found = &value;
    for (const char* key : path) {
        found = found->find(key);
        CAPTURE(key);
        REQUIRE(found);
    }
    return found;
}

constexpr double ln2 = 0.6931471805599453;
StepLosses losses(double d, double g, double norm_g) {
    return {.loss_d = d, .loss_g = g, .grad_norm_d = 1, .grad_norm_g = norm_g};
}

// The messages of the alarm for `count` equal rows.
std::string after(CollapseAlarm& alarm, const StepLosses& line, int count) {
    std::string said;
    for (int i = 0; i < count; ++i) said += alarm.losses(line);
    return said;
}

}  // namespace

TEST_CASE("observation: the spread of images") {
    const Spread one = spread_of({1, 2, 3, 1, 2, 3, 1, 2, 3}, 3, threads());  // three equal images
    CHECK(one.mean == doctest::Approx(2));
    CHECK(one.deviation == doctest::Approx(std::sqrt(2.0 / 3)));
    CHECK(one.distance == doctest::Approx(0));
    // pairwise distances 5, 5 and 6
    CHECK(spread_of({0, 0, 3, 4, 6, 0}, 3, threads()).distance == doctest::Approx(std::sqrt((25 + 25 + 36) / 3.0)));
    CHECK(std::isnan(spread_of({7, 7}, 1, threads()).distance));  // a single image has no distance
    CHECK(std::isnan(spread_of({7, 7}, 1, threads()).nearest));
    CHECK(std::isnan(spread_of({7, NAN, 7, 7}, 2, threads()).deviation));
    Observation single;
    single.samples = single.data = spread_of({7, 7}, 1, threads());
    CHECK(json::dump(*json::Value(single.line()).find("samples"), -1) ==
          R"({"mean": 7.0, "std": 0.0, "distance": null, "nearest": null})");
    CHECK(one.nearest == 0);
    CHECK(spread_of({0, 0, 3, 4, 6, 0, 6, 1}, 4, threads()).nearest == doctest::Approx(std::sqrt(18.0)));  // 5, sqrt(18), 1, 1
}

TEST_CASE("observation: its values are right, and it does not change the training") {
    for (const std::string model : {"vanilla", "dcgan", "wgan", "keras-mlp"}) {
        CAPTURE(model);
        const config::GanConfig config = small_config(model);
        GanTrainer watched(config, few_images(), Device::cpu()), alone(config, few_images(), Device::cpu());
        for (int i = 0; i < 3; ++i) {
            watched.step();
            alone.step();
            const Observation seen = observe(watched);
            const json::Value line = seen.line();

            const auto& w = *watched.generator().parameters()[0];
            const std::vector<real> values = watched.generator().values()[0].to_host(),
                                    gradients = watched.generator().gradients()[0].to_host();
            const auto mean_of = [](const std::vector<real>& x) {
                return std::accumulate(x.begin(), x.end(), 0.0) / double(x.size());
            };
            const json::Value& weights = *at(line, {"generator", "weights", w.name.c_str()});
            CHECK(number(weights.find("mean")) == doctest::Approx(mean_of(values)).epsilon(1e-5));
            CHECK(number(weights.find("min")) ==
                  doctest::Approx(double(*std::min_element(values.begin(), values.end()))).epsilon(1e-5));
            CHECK(number(at(line, {"generator", "gradients", w.name.c_str(), "mean"})) ==
                  doctest::Approx(mean_of(gradients)).epsilon(1e-5));
            double counted = 0;
            for (const json::Value& bin : *weights.find("histogram")->list()) counted += number(&bin);
            CHECK(counted == double(values.size()));
            CHECK(at(line, {"generator", "gradients"})->members()->size() == watched.generator().parameters().size());
            CHECK(at(line, {"discriminator", "activations"})->members()->size() == watched.discriminator().layers().plan.size());

            CHECK(seen.data.distance > 0);
            CHECK((line.find("accuracy_real") != nullptr) == (model != "wgan"));
            CHECK((line.find("penalty_norm") != nullptr) == (model == "wgan"));
            CHECK((line.find("w_estimate") != nullptr) == (model == "wgan"));
        }
        CHECK(watched.generator().flat_values().to_host() == alone.generator().flat_values().to_host());
        CHECK(watched.discriminator().flat_values().to_host() == alone.discriminator().flat_values().to_host());
        CHECK(watched.discriminator().flat_buffers().to_host() == alone.discriminator().flat_buffers().to_host());
    }
}

TEST_CASE("observation: the loss says whether its scores estimate a distance") {
    config::GanConfig config = small_config("wgan");
    LossInfo row = *config.objective.loss;
    row.is_distance = false;
    config.objective.loss = &row;
    GanTrainer trainer(config, few_images(), Device::cpu());
    const json::Value line = observe(trainer).line();
    CHECK(line.find("w_estimate") == nullptr);
    CHECK(line.find("accuracy_real") == nullptr);
}

TEST_CASE("observation: no tensor leaks") {
    GanTrainer trainer(small_config("wgan"), few_images(), Device::cpu());
    trainer.step();
    const int64_t before = live_tensors();
    observe(trainer);
    first_not_finite(trainer);
    CHECK(live_tensors() == before);
}

// The gradient of a linear critic is its weight for every image.
TEST_CASE("observation: the gradient norm under a penalty") {
    const config::GanConfig config =
        small_config("wgan", {"discriminator=[{\"layer\": \"flatten\"}, {\"layer\": \"linear\", \"units\": 1}]",
                              "objective.gradient_penalty.target=0.75"});
    GanTrainer trainer(config, few_images(), Device::cpu());
    double squares = 0;
    for (const real w : trainer.discriminator().values()[0].to_host()) squares += double(w) * double(w);
    CHECK(observe(trainer).penalty_norm == doctest::Approx(std::sqrt(squares)).epsilon(1e-4));
    CHECK(number(at(observe(trainer).line(), {"penalty_target"})) == 0.75);
}

TEST_CASE("observation: the first layer that is not finite is named") {
    GanTrainer trainer(small_config("dcgan"), few_images(), Device::cpu());
    CHECK(first_not_finite(trainer).empty());
    const Network& discriminator = trainer.discriminator();
    discriminator.values().back().data()[0] = real(NAN);
    CHECK(first_not_finite(trainer) == discriminator.parameters().back()->name);
    // finite weights whose output overflows
    GanTrainer large(small_config("vanilla"), few_images(), Device::cpu());
    const Tensor& first = large.generator().values()[0];
    for (int64_t i = 0; i < first.size(); ++i) first.data()[i] = std::numeric_limits<real>::max() / 4;
    CHECK(has(first_not_finite(large), "generator."));
    CHECK(has(first_not_finite(large), "its output"));
}

TEST_CASE("alarm: the discriminator has saturated (seed 004: 0.000 and 64.09)") {
    const config::GanConfig config = small_config("vanilla");
    CollapseAlarm alarm(config, 1000);
    CHECK(after(alarm, losses(0.0001, 64.09, 1), 19).empty());
    CHECK(after(alarm, losses(0.3, 3.2, 1), 1).empty());  // recovers
    CHECK(after(alarm, losses(0.0001, 64.09, 1), 19).empty());
    CHECK(has(after(alarm, losses(0.0001, 64.09, 1), 1), "explodes (loss_g 64.1)"));
    CHECK(after(alarm, losses(0.0001, 64.09, 1), 100).empty());  // reported once
    CollapseAlarm healthy(config, 1000);
    CHECK(after(healthy, losses(0.01, 5, 1), 500).empty());
    CHECK(after(healthy, losses(0.3211, 3.1851, 1), 500).empty());
}

TEST_CASE("alarm: both losses are pinned at ln 2 and the gradient has vanished (seed 003-A)") {
    for (const std::string kind : {"mean", "sum"}) {
        CAPTURE(kind);
        CollapseAlarm alarm(small_config("vanilla", {"objective.discriminator_loss=" + kind}), 1000);
        const double d = kind == "mean" ? ln2 : 2 * ln2;
        CHECK(after(alarm, losses(d, ln2, 1), 100).empty());  // the gradient has not vanished
        CHECK(has(after(alarm, losses(d, ln2, 1e-4), 20), "pinned at ln 2"));
    }
    CollapseAlarm other(small_config("wgan"), 1000);
    CHECK(after(other, losses(ln2, ln2, 0), 100).empty());
}

TEST_CASE("alarm: samples that no longer differ") {
    const config::GanConfig config = small_config("vanilla");
    const Spread data{.mean = 0, .deviation = 1, .distance = 10}, alike{.mean = 0, .deviation = 1, .distance = 0.5},
        varied{.mean = 0, .deviation = 1, .distance = 8};
    CollapseAlarm alarm(config, 1000);
    // Images are alike at the start of a run.
    for (int step = 10; step < 100; step += 10) CHECK(alarm.samples(step, alike, data).empty());
    CHECK(alarm.samples(100, varied, data).empty());
    CHECK(alarm.samples(110, alike, data).empty());
    CHECK(alarm.samples(120, alike, data).empty());
    CHECK(has(alarm.samples(130, alike, data), "5.0 % of the data's"));
    CHECK(alarm.samples(140, alike, data).empty());
    CollapseAlarm never(config, 1000);
    for (int step = 200; step < 250; step += 10) CHECK(never.samples(step, alike, data).empty());
    CHECK(never.samples(250, alike, data).empty());
    CHECK(never.samples(260, alike, data).empty());
    CHECK_FALSE(never.samples(270, alike, data).empty());
}

// Copies of six images are as far apart as the images of the data.
TEST_CASE("alarm: a batch of one has no distances") {
    CollapseAlarm alarm(small_config("vanilla"), 100);
    for (int step = 1; step <= 100; ++step)
        CHECK(alarm.samples(step, spread_of({1, 2}, 1, threads()), spread_of({3, 4}, 1, threads())) == "");
}

TEST_CASE("alarm: samples that repeat a few images") {
    const Spread data{.mean = 0, .deviation = 1, .distance = 10, .nearest = 6};
    const auto samples = [](double nearest) { return Spread{.mean = 0, .deviation = 1, .distance = 9, .nearest = nearest}; };
    CollapseAlarm alarm(small_config("vanilla"), 1000);
    CHECK(alarm.samples(10, samples(3), data).empty());
    CHECK(alarm.samples(100, samples(0.3), data).empty());
    CHECK(alarm.samples(110, samples(0.3), data).empty());
    CHECK(has(alarm.samples(120, samples(0.3), data), "repeat a few images (nearest-neighbour distance is 5.0 %"));
    CHECK(alarm.samples(130, samples(0.3), data).empty());
    CollapseAlarm never(small_config("vanilla"), 1000);  // the samples never differed
    for (int step = 10; step < 270; step += 10) CHECK(never.samples(step, samples(0.3), data).empty());
    CHECK_FALSE(never.samples(270, samples(0.3), data).empty());
    CollapseAlarm healthy(small_config("vanilla"), 1000);
    for (int step = 10; step < 1000; step += 10) CHECK(healthy.samples(step, samples(2), data).empty());
    // Points are close together in the data, too.
    CollapseAlarm points(small_config("vanilla"), 1000);
    const Spread near{.mean = 0, .deviation = 1, .distance = 10, .nearest = 0.1};
    for (int step = 10; step < 1000; step += 10) CHECK(points.samples(step, samples(0.1), near).empty());
}

TEST_CASE("alarm: a generator that learns nothing from a saturated discriminator") {
    CollapseAlarm alarm(small_config("vanilla", {"objective.generator_loss=saturating"}), 1000);
    CHECK(after(alarm, losses(0.01, -0.01, 1), 100).empty());
    CHECK(has(after(alarm, losses(1e-4, -1e-4, 1e-3), 20), "gradient has vanished"));
    CollapseAlarm fooled(small_config("vanilla"), 1000);
    CHECK(after(fooled, losses(0.5, 1e-5, 1), 100).empty());
    CHECK(has(after(fooled, losses(40, 1e-5, 1), 20), "classifies every image as real"));
}
