// Devices with different settings in one process.
#include <doctest/doctest.h>

#include <filesystem>
#include <thread>

#include "engine/classifier/classifier.h"
#include "engine/classifier/trainer.h"
#include "engine/gan/sampler.h"
#include "engine/gan/trainer.h"
#include "engine/metrics/evaluation.h"
#include "engine/model/model.h"
#include "engine/run/device_option.h"
#include "engine/train/checkpoint.h"
#include "tests/skip.h"
#include "tests/temporary.h"
#include "tests/training_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

std::vector<real> weights(GanTrainer& trainer) {
    std::vector<real> all = trainer.generator().flat_values().to_host();
    const std::vector<real> others = trainer.discriminator().flat_values().to_host();
    all.insert(all.end(), others.begin(), others.end());
    return all;
}

// Steps of two models that alternate give the same bits as each model alone.
void check_pair(const config::GanConfig& a, const config::GanConfig& b, const Device& device) {
    constexpr int steps = 2;
    const auto alone = [&](const config::GanConfig& config) {
        GanTrainer trainer(config, few_images(), device);
        for (int i = 0; i < steps; ++i) trainer.step();
        return weights(trainer);
    };
    const std::vector<real> of_a = alone(a), of_b = alone(b);
    GanTrainer first(a, few_images(), device), second(b, few_images(), device);
    for (int i = 0; i < steps; ++i) first.step(), second.step();
    CHECK(weights(first) == of_a);
    CHECK(weights(second) == of_b);
    CHECK(of_a != of_b);
}

}  // namespace

TEST_CASE("device: alternating trainings with and without Winograd compute the same bits as each alone") {
    const auto config = [](const std::string& exact) {
        return config::gan_of(config::load_model("models/dcgan.json", {"batch=4", "cpu.exact=" + exact}));
    };
    check_pair(config("true"), config("false"), Device::cpu());
}

TEST_CASE("device: one thread and several, alternating and concurrent, give the same bits") {
    const config::GanConfig config = small_config("wgan");
    const Backend isa = Device::best_isa();
    const Device one = Device::cpu(isa, {}, 1), three = Device::cpu(isa, {}, 3), exact = three.with({.exact_convolutions = true});
    CHECK(one.threads().size() == 1);
    CHECK(three.threads().size() == 3);
    CHECK(&exact.threads() == &three.threads());
    const auto steps = [](GanTrainer& trainer, int count) {
        for (int i = 0; i < count; ++i) trainer.step();
    };
    GanTrainer first(config, few_images(), one), second(config, few_images(), three), third(config, few_images(), three);
    for (int i = 0; i < 2; ++i) steps(first, 1), steps(second, 1);
    CHECK(weights(first) == weights(second));
    std::thread other([&] { steps(first, 2); });  // works on one thread while the threads of `second` run
    steps(second, 2);
    other.join();
    CHECK(weights(first) == weights(second));
    steps(third, 4);
    CHECK(weights(third) == weights(second));
}

TEST_CASE("device: a CPU's threads start with its first kernel and end with its last handle") {
    const auto threads_now = [] {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++count;
        return count;
    };
    const std::size_t before = threads_now();
    {
        const Tensor kept = Tensor::empty({1 << 17}, Device::cpu(Backend::cpu_scalar, {}, 4));
        CHECK(threads_now() == before);
        const Device device = kept.device();
        RUN(device, fill, kept.data(), real(1), kept.size());
        CHECK(threads_now() == before + 3);
        const Tensor more = Tensor::full({1 << 17}, 1, device.with({.exact_convolutions = true}));
        CHECK(threads_now() == before + 3);
    }
    CHECK(threads_now() == before);
}

TEST_CASE("device: a checkpoint is read with the settings of its run, not of the process") {
    const TemporaryFolder folder;
    for (const bool gpu : {false, true}) {
        if (gpu && !Device::cuda_unusable().empty()) return skipped("the setting of a GPU");
        const Device device = gpu ? Device::cuda() : Device::cpu();
        const auto config = [&](bool on) {
            if (gpu) return small_classifier({on ? "compute.precision=bf16" : "compute.precision=fp32"});
            return config::classifier_of(config::load_model(
                "models/classifier-mnist.json",
                {"batch=4", "classifier.2.kernel=4", "classifier.2.padding=1", on ? "cpu.exact=true" : "cpu.exact=false"}));
        };
        ClassifierTrainer on(config(true), few_images(), device);
        write_safetensors(folder / "on.safetensors", checkpoint_of(on, {}));
        const std::vector<uint8_t> pixels(few_images().pixels.begin(), few_images().pixels.begin() + 8 * 784);
        const auto scores = predict(on.network(), pixels, -1, 1).confidence;
        ClassifierTrainer off(config(false), few_images(), device);  // with the same weights
        CHECK(predict(off.network(), pixels, -1, 1).confidence != scores);
        CHECK(Classifier(folder / "on.safetensors", device).predict(pixels).confidence == scores);
    }
}

TEST_CASE("device: alternating samples and metrics on two devices are the same as on each device alone") {
    const TemporaryFolder folder;
    const auto config_of = [](bool exact) {
        return config::gan_of(config::load_model("models/dcgan.json", {"batch=4", exact ? "cpu.exact=true" : "cpu.exact=false"}));
    };
    const config::GanConfig configs[] = {config_of(true), config_of(false)};  // without Winograd, and with it
    std::vector<SampleSource> sources;
    for (const config::GanConfig& config : configs) {
        GanTrainer trainer(config, few_images(), Device::cpu());
        write_safetensors(folder / "checkpoint.safetensors", checkpoint_of(trainer, {}));
        sources.emplace_back(folder / "checkpoint.safetensors");
    }
    const Checkpoint checkpoint = load_checkpoint(folder / "checkpoint.safetensors");
    const auto generator_of = [&](int which, const Device& device) {  // as `generate` makes it
        const config::GanConfig& config = configs[which];
        auto network = std::make_unique<Network>(Net::generator, config.generator, config.latent.shape(), checkpoint.image,
                                                 config, device.with(config.numerics));
        load_state(checkpoint.content, checkpoint.file, *network, nullptr);
        return network;
    };
    const auto draw = [&](int which, const Network& generator) {
        const Sampler sampler(configs[which], generator);
        return sampler.images(sampler.latents(5, 0, 4)).to_host();
    };
    const RealImages reals{few_images().pixels, {}, {28, 28, 1, false}, false, "digits", {}};
    const LoadProgress quiet = [](const char*, int64_t, int64_t) {};
    const auto measure = [&](int which, const Device& device) {
        const Samples samples = sources[std::size_t(which)].take(20, 5, {}, device, {quiet, {}});
        return json::dump(evaluate(samples, reals, nullptr, "", device.threads(), quiet));
    };
    const Device one = Device::cpu(Device::best_isa(), {}, 1), three = Device::cpu(Device::best_isa(), {}, 3);
    const auto exact = draw(0, *generator_of(0, one)), winograd = draw(1, *generator_of(1, one));
    CHECK(exact != winograd);
    const std::string metrics[] = {measure(0, one), measure(1, one)};
    const auto first = generator_of(0, one), second = generator_of(1, three), third = generator_of(0, second->device());
    for (int i = 0; i < 2; ++i) {
        CHECK(draw(0, *first) == exact);
        CHECK(draw(1, *second) == winograd);
        CHECK(draw(0, *third) == exact);
        for (const int which : {0, 1}) CHECK(measure(which, i ? one : three) == metrics[which]);
    }
}

TEST_CASE("device: an error names a precision or storage type that the device lacks") {
    const auto complaint = [](const std::vector<std::string>& settings, const Device& device) {
        const std::optional<Error> lacks = lacking(small_config("vanilla", settings), device);
        return lacks ? std::string(lacks->what()) : "";
    };
    const Device cpu = Device::cpu();
    CHECK(complaint({}, cpu) == "");
    CHECK(complaint({"compute.precision=fp32", "compute.storage=fp32"}, cpu) == "");
    for (const std::string precision : {"tf32", "bf16"})
        for (const std::string section : {"compute", "cuda"})
            CHECK(complaint({section + ".precision=" + precision}, cpu) ==
                  "compute.precision " + precision + " is not available on " + cpu.name() + " (" + section +
                      ".precision, --set " + section + ".precision=" + precision + "): use fp32, or a GPU of sm_80 or later");
    CHECK(complaint({"compute.storage=bf16"}, cpu) ==
          "compute.storage bf16 is not available on " + cpu.name() + " (compute.storage, --set compute.storage=bf16): use fp32");
    if (!Device::cuda_unusable().empty()) return skipped("no GPU");
    const Device gpu = Device::cuda();
    CHECK((complaint({"compute.precision=tf32"}, gpu) == "") == (gpu.stream()->capability >= 80));
    CHECK(has(complaint({"compute.storage=bf16"}, gpu), "compute.storage bf16 is not available on cuda"));
}

TEST_CASE("device: --device names a GPU by its index") {
    const auto complaint = [](const std::string& name) { return error_of([&] { choose_device(name, 0); }); };
    for (const std::string name : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda1", ""})
        CHECK(has(complaint(name), "--device \"" + name + "\" is not known (command line): give one of auto, cpu, cuda, cuda:N"));
    CHECK(has(complaint("cuda:99999"), "--device cuda:99999"));
    CHECK(!choose_device("cpu", 0).is_cuda());
    if (!Device::cuda_unusable().empty()) return skipped("no GPU");
    CHECK(choose_device("cuda:0", 0).name() == Device::cuda().name());
    CHECK(has(complaint("cuda:99999"), "there is no GPU 99999: "));
    CHECK(Device::cuda().with({.precision = Precision::bf16}).numerics().precision == Precision::bf16);
    CHECK(Device::cuda().numerics().precision == Precision::fp32);
}

TEST_CASE("device: alternating trainings with and without tensor cores, and on two GPUs, give the bits of each alone") {
    if (!Device::cuda_unusable().empty()) return skipped("no GPU");
    const Device device = Device::cuda();
    if (device.stream()->capability < 80) return skipped("no tensor cores");
    check_pair(small_config("vanilla", {"compute.precision=bf16"}), small_config("vanilla"), device);
    if (!Device::cuda_unusable(1).empty()) return skipped("one GPU");
    GanTrainer first(small_config("dcgan"), few_images(), device), second(small_config("dcgan"), few_images(), Device::cuda(1));
    for (int i = 0; i < 4; ++i) first.step(), second.step();  // eager, recorded, replayed
    CHECK(weights(first) == weights(second));
    CHECK(Device::cuda(1).name().starts_with("cuda:1 ("));
}
