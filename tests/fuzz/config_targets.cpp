// Fuzz targets: model files, settings, expressions, tables, and the networks that they declare.
#include <sstream>

#include "base/error.h"
#include "engine/gan/preflight.h"
#include "engine/model/parts.h"
#include "tests/fuzz/networks.h"
#include "tests/fuzz/target.h"

namespace gannet::fuzz {
namespace {

const char* const small_model = R"({
  "data": { "set": "ring" }, "latent": { "size": 2 },
  "variables": { "units": 3 },
  "generator": [ { "layer": "linear", "units": "$units" }, { "layer": "relu" }, { "layer": "linear", "units": "image" },
    { "layer": "tanh" }, { "layer": "reshape", "shape": "image" } ],
  "discriminator": [ { "layer": "flatten" }, { "layer": "linear", "units": 3 }, { "layer": "leaky_relu" },
    { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "bce_with_logits" }, "optimizer": { "type": "adam", "lr": 1e-3 }, "batch": 4, "steps": 4 })";

}  // namespace

Network built(Net net, const std::vector<config::LayerConfig>& list, SampleShape in, SampleShape image,
              const config::BuildOptions& options) {
    BuildContext context{.net = net, .image = image, .options = options};
    build_sequence(list, "net", in, context);
    if (context.parameters.size > 1000000) throw Error("more than is tried here");
    return {net, list, in, image, options, Device::cpu()};
}

void run_json(const std::string& bytes) {
    const std::string text = json::dump(json::parse(bytes, "fuzz.json"));
    hold(json::dump(json::parse(text, "again.json")) == text, "written JSON changes when it is read back");
}

void run_model(const std::string& bytes) {
    const config::ModelConfig config = config::parse_model(bytes, file_of(bytes, "fuzz.json"), {});
    const std::string effective = json::dump(config::shared(config).effective);
    const config::ModelConfig again = config::parse_model(effective, "config.json", {});
    hold(json::dump(config::shared(again).effective) == effective, "an effective configuration changes when it is read back");
}

void run_settings(const std::string& bytes) {
    config::Settings settings;
    std::istringstream lines(bytes);
    for (std::string line; std::getline(lines, line);) settings.add(line, "--set " + printable(line));
    config::parse_model(small_model, file_of(small_model, "fuzz.json"), settings);
}

// The input is lines NAME=INTEGER, then an expression.
void run_expression(const std::string& bytes) {
    config::Variables variables;
    std::istringstream lines(bytes);
    std::string line;
    while (std::getline(lines, line) && !lines.eof()) {
        const std::size_t at = line.find('=');
        if (at != std::string::npos) variables.emplace_back(line.substr(0, at), int64_t(std::atoll(line.c_str() + at + 1)));
    }
    config::evaluate(line, variables, "fuzz.json:1");
}

void run_tune(const std::string& bytes) {
    json::Value table(file_of(bytes, "tune.json"));
    table.move_to("cuda.tune", "tune.json:1");
    config::read_tuning(table, "fp32");
}

void run_net(const std::string& bytes) {
    const config::ModelConfig model = config::parse_model(bytes, file_of(bytes, "fuzz.json"), {});
    const DatasetOptions& images = config::shared(model).data.images;
    const int64_t size = images.size, channels = images.channels;
    if (size > 256) throw Error("more than is tried here");
    const SampleShape image{size ? size : 28, size ? size : 28, channels ? channels : 1, false};
    if (const auto* classifier = std::get_if<config::ClassifierConfig>(&model)) {
        hold(!summary(built(Net::classifier, classifier->classifier, image, image, *classifier)).empty(), "an empty summary");
        return;
    }
    const auto& config = std::get<config::GanConfig>(model);
    const Network generator = built(Net::generator, config.generator, config.latent.shape(), image, config);
    Network discriminator = built(Net::discriminator, config.discriminator, image, image, config);
    hold(!summary(generator).empty() && !summary(discriminator).empty(), "an empty summary");
    check_networks(config, generator, discriminator, image);
    if (generator.out() != image) discriminator.also_take(generator.out(), config.discriminator, image, config);
    warnings(config, generator, discriminator);
}

}  // namespace gannet::fuzz
