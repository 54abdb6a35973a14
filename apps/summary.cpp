// Prints the layer tables of a model file.
#include <cstdio>

#include "data/dataset.h"
#include "engine/gan/preflight.h"
#include "engine/run/cli.h"
#include "engine/run/training.h"

using namespace gannet;

namespace {

void print(const config::ModelConfig& config) {
    const DatasetInfo info = dataset_info(dataset_options(config.data));
    const SampleShape image{info.H, info.W, info.C, false};
    if (config.is_classifier()) {
        std::fputs(summary(Network(Net::classifier, config.classifier, image, image, config, Device::cpu())).c_str(), stdout);
        return;
    }
    const Network generator(Net::generator, config.generator, {1, 1, config.latent.integer("size"), true}, image, config,
                            Device::cpu());
    Network discriminator(Net::discriminator, config.discriminator, image, image, config, Device::cpu());
    std::printf("%s\n%s", summary(generator).c_str(), summary(discriminator).c_str());
    check_networks(config, generator, discriminator, image);
    if (generator.out() != image) discriminator.also_take(generator.out(), config.discriminator, image, config);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](int count, char** arguments) {
        std::string model;
        std::vector<std::string> settings;
        CommandLine line(
            "summary", "Prints the networks of a model file: layers, output shapes (C, H, W), parameters, flops, what is fused.");
        line.positional("MODEL.json", model, "the model file");
        line.option("--set", settings, "KEY.PATH=VALUE", "overrides a key of the model file; may be repeated");
        if (!line.parse(count, arguments)) return 0;

        const config::ModelConfig config = config::load_model(model, settings);
        config::blaming(settings, [&] { print(config); });
        if (config.is_classifier()) return 0;
        for (const std::string& warning : warnings(config)) std::fprintf(stderr, "gannet: warning: %s\n", warning.c_str());
        return 0;
    });
}
