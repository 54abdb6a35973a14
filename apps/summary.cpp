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

void print_json(const config::SharedConfig& config, const SampleShape& image, const Networks& nets) {
    json::Members networks;
    for (const auto& network : nets) networks.emplace_back(network->name(), description(network->layers()));
    const Shape shape = image.torch_shape();
    const json::Members all = {
        {"config", config.effective}, {"image", json::List(shape.begin(), shape.end())}, {"networks", std::move(networks)}};
    std::printf("%s\n", json::dump(all).c_str());
}

void print_plans(const config::GanConfig& config, const Networks& nets) {
    std::fputs(gan::plans_text(config, *nets[0], *nets[1]).c_str(), stdout);
}

void print_plans(const config::ClassifierConfig&, const Networks&) {
    throw Error("a classifier has no plan", "--plan", "each of its steps is one update on one batch; omit --plan");
}

enum class What { tables, tables_and_estimate, json, plan };

template <class Config>
void print(const Config& config, What what) {
    const DeclaredImages images = declared_images(config);
    if (!images.absent.empty()) say(note_of(images));
    std::string between;
    const auto table = [&](const Network& network) {  // at once: the next network may be refused
        if (what == What::json || what == What::plan) return;
        std::printf("%s%s", between.c_str(), summary(network).c_str());
        between = "\n";
    };
    const Networks nets = build_networks(config, images.image, Device::cpu(), table);
    if (what == What::plan) return print_plans(config, nets);
    if (what == What::json) print_json(config, images.image, nets);
    if (what == What::tables_and_estimate) {
        const Device device = choose_device("auto", 0);
        std::printf("\n%s", estimate_text(config, images.image, images.count, device).c_str());
    }
    if constexpr (is_gan<Config>) say_warnings(config, *nets[0], *nets[1]);
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
