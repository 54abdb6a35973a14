// Prints the layer tables of a model file.
#include <cstdio>

#include "base/error.h"
#include "engine/gan/plan.h"
#include "engine/run/cli.h"
#include "engine/run/device_option.h"
#include "engine/run/estimate.h"
#include "engine/run/networks.h"

using namespace gannet;

namespace {

// Prints each network that can be built, then checks that they fit together.
template <class Config>
void print_tables(const Config& config, const SampleShape& image) {
    std::string between;
    build_networks(config, image, Device::cpu(), [&](const Network& network) {
        std::printf("%s%s", between.c_str(), summary(network).c_str());
        between = "\n";
    });
}

template <class Config>
void print_json(const Config& config, const SampleShape& image) {
    json::Members networks;
    for (const auto& network : build_networks(config, image, Device::cpu()))
        networks.emplace_back(network->name(), description(network->layers()));
    const Shape shape = image.torch_shape();
    const json::Members all = {
        {"config", config.effective}, {"image", json::List(shape.begin(), shape.end())}, {"networks", std::move(networks)}};
    std::printf("%s\n", json::dump(all).c_str());
}

void print_plans(const config::GanConfig& config, const SampleShape& image) {
    const Networks nets = build_networks(config, image, Device::cpu());
    std::fputs(gan::plans_text(config, *nets[0], *nets[1]).c_str(), stdout);
}

void print_plans(const config::ClassifierConfig&, const SampleShape&) {
    throw Error("a classifier has no plan", "--plan", "each of its steps is one update on one batch; omit --plan");
}

enum class What { tables, tables_and_estimate, json, plan };

void say_warnings(const config::GanConfig& config, const SampleShape& image) {
    const Networks nets = build_networks(config, image, Device::cpu());
    for (const std::string& warning : warnings(config, *nets[0], *nets[1])) say("gannet: warning: " + warning);
}
void say_warnings(const config::ClassifierConfig&, const SampleShape&) {}

template <class Config>
void print(const Config& config, What what) {
    const DeclaredImages images = declared_images(config);
    if (!images.absent.empty()) say(note_of(images));
    if (what == What::plan) return print_plans(config, images.image);
    if (what == What::json) print_json(config, images.image);
    else print_tables(config, images.image);
    if (what == What::tables_and_estimate) {
        const Device device = choose_device("auto", 0);
        std::printf("\n%s", estimate_text(config, images.image, images.count, device).c_str());
    }
    say_warnings(config, images.image);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](int count, char** arguments) {
        std::string model;
        std::vector<std::string> settings;
        bool no_estimate = false, as_json = false, plan = false;
        CommandLine line(
            "summary",
            "Prints the networks of a model file: layers, output shapes (C, H, W), parameters, flops, fused layers. Then "
            "estimates the time and memory of a training on this machine from a few measured steps. Does not need the data.");
        line.positional("MODEL.json", model, "the model file");
        line.option("--set", settings, "KEY.PATH=VALUE", "overrides a key of the model file; may be repeated");
        line.flag("--no-estimate", no_estimate, "prints only the networks");
        line.flag("--json", as_json, "prints one JSON object: the configuration, and the attributes and shapes of each layer");
        line.flag("--plan", plan, "prints the plan of a training step instead: its updates in order, and their batches");
        line.excludes("--json", {"--plan"});
        if (!line.parse(count, arguments)) return 0;

        const What what = as_json ? What::json : plan ? What::plan : no_estimate ? What::tables : What::tables_and_estimate;
        std::visit([&](const auto& config) { config::naming_settings(settings, [&] { print(config, what); }); },
                   config::load_model(model, settings));
        return 0;
    });
}
