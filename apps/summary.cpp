// Prints the layer tables of a model file.
#include <cstdio>

#include "engine/gan/preflight.h"
#include "engine/run/cli.h"
#include "engine/run/device_option.h"
#include "engine/run/estimate.h"
#include "engine/run/networks.h"

using namespace gannet;

namespace {

// As far as they can be built; then whether they fit.
void print_tables(const config::ModelConfig& config, const SampleShape& image) {
    const Device device = Device::cpu();
    if (config.is_classifier()) {
        std::fputs(summary(Network(Net::classifier, config.classifier, image, image, config, device)).c_str(), stdout);
        return;
    }
    const Network generator(Net::generator, config.generator, {1, 1, config.latent.integer("size"), true}, image, config, device);
    const Network discriminator(Net::discriminator, config.discriminator, image, image, config, device);
    std::printf("%s\n%s", summary(generator).c_str(), summary(discriminator).c_str());
    build_networks(config, image);
}

void print(const config::ModelConfig& config, bool estimate) {
    const DeclaredImages images = declared_images(config);
    if (!images.absent.empty()) say(note_of(images));
    print_tables(config, images.image);
    if (!estimate) return;
    const Device device = choose_device("auto", 0);
    std::printf("\n%s", estimate_text(config, images.image, images.count, device).c_str());
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](int count, char** arguments) {
        std::string model;
        std::vector<std::string> settings;
        bool no_estimate = false;
        CommandLine line(
            "summary",
            "Prints the networks of a model file: layers, output shapes (C, H, W), parameters, flops, what is fused. Then "
            "estimates the time and memory of a training here, from a few measured steps. The data need not be there.");
        line.positional("MODEL.json", model, "the model file");
        line.option("--set", settings, "KEY.PATH=VALUE", "overrides a key of the model file; may be repeated");
        line.flag("--no-estimate", no_estimate, "prints the networks only");
        if (!line.parse(count, arguments)) return 0;

        const config::ModelConfig config = config::load_model(model, settings);
        config::blaming(settings, [&] { print(config, !no_estimate); });
        if (config.is_classifier()) return 0;
        for (const std::string& warning : warnings(config)) say("gannet: warning: " + warning);
        return 0;
    });
}
