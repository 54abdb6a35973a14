// Fuzz targets: safetensors files, checkpoints, and restored state.
#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/safetensors.h"
#include "engine/classifier/trainer.h"
#include "engine/diagnostics/collapse.h"
#include "engine/gan/trainer.h"
#include "engine/train/checkpoint.h"
#include "tests/fuzz/networks.h"
#include "tests/fuzz/target.h"

namespace gannet::fuzz {
namespace {

// A safetensors file from a header, up to the first newline, and the arrays. Adds the first 8 bytes, the length of the header: a
// mutation would nearly always make it wrong, and the reader would reject the file at once.
std::string framed(const std::string& bytes) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const uint64_t length = end;
    std::string file(reinterpret_cast<const char*>(&length), sizeof length);
    return file + bytes.substr(0, end) + bytes.substr(std::min(end + 1, bytes.size()));
}

// The same input with `data_offsets` computed from the shapes, and data of that size.
std::string laid_out(const std::string& bytes) {
    constexpr int64_t most = 100000;
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    json::Value header = json::parse(bytes.substr(0, end), "header");
    int64_t at = 0;
    if (auto* members = std::get_if<json::Members>(&header.data))
        for (auto& [name, entry] : *members) {
            const json::Value *dtype = entry.find("dtype"), *shape = entry.find("shape");
            const auto* extents = shape ? std::get_if<json::List>(&shape->data) : nullptr;
            if (!extents || !dtype || !dtype->text()) continue;
            int64_t size = dtype_bytes(*dtype->text());
            for (const json::Value& extent : *extents)
                if (const auto* n = std::get_if<int64_t>(&extent.data); !n || __builtin_mul_overflow(size, *n, &size))
                    size = most;
            size = std::clamp<int64_t>(size, 0, most);
            entry.at("data_offsets") = json::List{at, at + size};
            at += size;
        }
    std::string data = bytes.substr(std::min(end + 1, bytes.size()));
    data.resize(std::size_t(std::min<int64_t>(at, 10 * most)), 'x');
    return json::dump(header, -1) + "\n" + data;
}

// Restores the state as GanRun does. Saving what was read must not change it.
void restore_run(const Checkpoint& checkpoint, const config::GanConfig& config) {
    if (checkpoint.run.is_null()) return;
    const config::SavedState run(checkpoint.run, checkpoint.file);
    run.boolean("finite");
    run.text("stopped");
    CollapseAlarm alarm(config, config.steps);
    alarm.set_state(run.object("alarm"));
    const json::Value saved(alarm.state());
    try {
        alarm.set_state({saved, "again"});
    } catch (const Error&) {
        hold(false, "an alarm refuses the state that it saved");
    }
    hold(json::dump(json::Value(alarm.state())) == json::dump(saved), "an alarm's state changes when it is read back");
}

// Two trainings of tiny networks, with all images in memory.
struct Tiny {
    Dataset data{.name = "fuzz",
                 .source = "fuzz",
                 .count = 4,
                 .H = 2,
                 .W = 1,
                 .C = 1,
                 .pixels = {0, 50, 100, 150, 200, 250, 30, 60},
                 .labels = {0, 1, 0, 1}};
    config::GanConfig gan_config = config::gan_of(config::parse_model(R"({ "data": { "set": "ring" }, "latent": { "size": 2 },
        "generator": [ { "layer": "linear", "units": 2 }, { "layer": "batch_norm" }, { "layer": "tanh" },
                       { "layer": "linear", "units": "image" }, { "layer": "reshape", "shape": "image" } ],
        "discriminator": [ { "layer": "flatten" }, { "layer": "linear", "units": 1 } ],
        "objective": { "loss": "bce_with_logits" }, "batch": 2, "steps": 4,
        "optimizer": { "type": "adam", "lr": 1e-3, "discriminator": { "type": "rmsprop" } } })",
                                                                      "gan.json", {}));
    config::ClassifierConfig classifier_config = config::classifier_of(config::parse_model(R"({ "data": { "set": "ring" },
        "classifier": [ { "layer": "flatten" }, { "layer": "linear", "units": 2 } ],
        "optimizer": { "type": "sgd", "lr": 1e-3, "momentum": 0.9 }, "batch": 2, "steps": 4 })",
                                                                                           "classifier.json", {}));
    GanTrainer gan{gan_config, data, Device::cpu()};
    ClassifierTrainer classifier{classifier_config, data, Device::cpu()};
};

}  // namespace

// The first byte selects how the rest becomes a file: `r` unchanged, with its own header length; `f` framed; otherwise framed,
// with data_offsets computed from the shapes.
void run_safetensors(const std::string& bytes) {
    if (bytes.empty()) return;
    const std::string rest = bytes.substr(1);
    const std::string whole = bytes[0] == 'r' ? rest : framed(bytes[0] == 'f' ? rest : laid_out(rest));
    const std::string file = file_of(whole, "fuzz.safetensors"), again = file + ".again";
    const Safetensors content = read_safetensors(file);
    write_safetensors(again, content);
    const Safetensors read = read_safetensors(again);
    hold(read.arrays.size() == content.arrays.size() && read.metadata == content.metadata,
         "a written file changes when it is read back");
}

// A checkpoint of any model: builds the networks of its configuration and restores their state.
void run_checkpoint(const std::string& bytes) {
    const Checkpoint checkpoint = load_checkpoint(file_of(framed(bytes), "fuzz.safetensors"));
    const config::ModelConfig model = config_of(checkpoint);
    check_same_config(checkpoint, config::shared(model).effective);
    const auto load = [&](Net net, const std::vector<config::LayerConfig>& layers, SampleShape in,
                          const config::OptimizerConfig& optimizer) {
        const Network network = built(net, layers, in, checkpoint.image, config::shared(model));
        Optimizer state(optimizer, network);
        load_state(checkpoint.content, checkpoint.file, network, &state);
    };
    if (const auto* classifier = std::get_if<config::ClassifierConfig>(&model)) {
        load(Net::classifier, classifier->classifier, checkpoint.image, classifier->optimizer);
        return;
    }
    const auto& config = std::get<config::GanConfig>(model);
    load(Net::generator, config.generator, config.latent.shape(), config.generator_optimizer);
    load(Net::discriminator, config.discriminator, checkpoint.image, config.discriminator_optimizer);
    restore_run(checkpoint, config);
}

// A checkpoint of one of two small models, restored as by --resume. Saving it again must give the same bytes.
void run_restore(const std::string& bytes) {
    static Tiny tiny;
    const Checkpoint checkpoint = load_checkpoint(file_of(framed(bytes), "fuzz.safetensors"));
    const bool is_classifier = checkpoint.config.find("classifier") != nullptr;
    Trainer& trainer = is_classifier ? static_cast<Trainer&>(tiny.classifier) : tiny.gan;
    restore(checkpoint, trainer);
    for (Array array : checkpoint_of(trainer, {}).arrays) {
        const Array* found = checkpoint.content.find(array.name);
        Array then = found ? *found : Array();
        then.load(), array.load();
        hold(found && (then.dtype != array.dtype || then.data == array.data), "a restored state changes when it is saved");
    }
    if (!is_classifier) restore_run(checkpoint, tiny.gan_config);
}

}  // namespace gannet::fuzz
