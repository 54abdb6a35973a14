// Prints the layer tables of a model file.
#include <cstdio>

#include "base/error.h"
#include "engine/gan/plan.h"
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

void print_json(const config::ModelConfig& config, const SampleShape& image) {
    const Networks built = build_networks(config, image);
    json::Members networks;
    for (const Network* network : {built.generator.get(), built.discriminator.get(), built.classifier.get()})
        if (network) networks.emplace_back(network->name(), description(network->layers()));
    const Shape shape = image.torch_shape();
    const json::Members all = {
        {"config", config.effective}, {"image", json::List(shape.begin(), shape.end())}, {"networks", std::move(networks)}};
    std::printf("%s\n", json::dump(all).c_str());
}

void print_plans(const config::ModelConfig& config, const SampleShape& image) {
    if (config.is_classifier())
        throw Error("a classifier has no plan", "--plan", "each of its steps is one update on one batch; omit --plan");
    const Networks nets = build_networks(config, image);
    std::fputs(gan::plans_text(config, *nets.generator, *nets.discriminator).c_str(), stdout);
}

enum class What { tables, tables_and_estimate, json, plan };

void print(const config::ModelConfig& config, What what) {
    const DeclaredImages images = declared_images(config);
    if (!images.absent.empty()) say(note_of(images));
    if (what == What::json) return print_json(config, images.image);
    if (what == What::plan) return print_plans(config, images.image);
    print_tables(config, images.image);
    if (what != What::tables_and_estimate) return;
    const Device device = choose_device("auto", 0);
    std::printf("\n%s", estimate_text(config, images.image, images.count, device).c_str());
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](int count, char** arguments) {
        std::string model;
        std::vector<std::string> settings;
        bool no_estimate = false, as_json = false, plan = false;
        CommandLine line(
            "summary",
            "Prints the networks of a model file: layers, output shapes (C, H, W), parameters, flops, what is fused. Then "
            "estimates the time and memory of a training here, from a few measured steps. The data need not be there.");
        line.positional("MODEL.json", model, "the model file");
        line.option("--set", settings, "KEY.PATH=VALUE", "overrides a key of the model file; may be repeated");
        line.flag("--no-estimate", no_estimate, "prints the networks only");
        line.flag("--json", as_json, "prints one JSON object: the configuration, and of each layer its attributes and shapes");
        line.flag("--plan", plan, "prints what a training step does instead: its updates in order, and their batches");
        if (!line.parse(count, arguments)) return 0;

        const config::ModelConfig config = config::load_model(model, settings);
        const What what = as_json ? What::json : plan ? What::plan : no_estimate ? What::tables : What::tables_and_estimate;
        config::blaming(settings, [&] { print(config, what); });
        if (config.is_classifier() || plan) return 0;
        for (const std::string& warning : warnings(config)) say("gannet: warning: " + warning);
        return 0;
    });
}
