// What runs leave and later commands read: checkpoints, logs, histories.
#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/safetensors.h"
#include "engine/diagnostics/history.h"
#include "engine/diagnostics/plots.h"
#include "engine/nn/network.h"
#include "engine/run/log.h"
#include "engine/train/checkpoint.h"
#include "engine/train/state.h"
#include "tests/fuzz/target.h"

namespace gannet::fuzz {

void run_safetensors(const std::string& bytes) {
    const std::string file = file_of(bytes, "fuzz.safetensors"), again = file + ".again";
    const Safetensors content = read_safetensors(file);
    write_safetensors(again, content);
    hold(read_safetensors(again).arrays.size() == content.arrays.size(), "a file that was written reads back otherwise");
}

// The header up to the first newline, then the arrays: the length before it would only be in a fuzzer's way.
void run_checkpoint(const std::string& bytes) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const uint64_t length = end;
    std::string file(reinterpret_cast<const char*>(&length), sizeof length);
    file += bytes.substr(0, end) + bytes.substr(std::min(end + 1, bytes.size()));
    const Checkpoint checkpoint = load_checkpoint(file_of(file, "fuzz.safetensors"));
    const config::ModelConfig config = config::parse_model(json::dump(checkpoint.config), checkpoint.file, {});
    check_same_config(checkpoint, config);
    if (config.is_classifier()) return;
    BuildContext context{.net = Net::generator, .image = checkpoint.image, .options = config};
    const SampleShape in{1, 1, config.latent.integer("size"), true};
    int64_t parameters = 0;
    for (const Layer& layer : build_sequence(config.generator, "generator", in, context).layers)
        for (const auto& parameter : layer.parameters)
            if (__builtin_add_overflow(parameters, parameter->shape.elements(), &parameters) || parameters > 1000000)
                throw Error("more than is tried here");
    const Network generator(Net::generator, config.generator, in, checkpoint.image, config, Device::cpu());
    load_state(checkpoint.content, checkpoint.file, generator, nullptr);
}

void run_log(const std::string& bytes) {
    const std::string file = file_of(bytes, "log.jsonl");
    RunLog::resume(file, 100).write({{"step", int64_t(101)}});
    RunLog::resume(file, 101).write({{"step", int64_t(102)}});
    hold(read_file(file).ends_with("{\"step\": 101}\n{\"step\": 102}\n"), "a log does not end in what was written");
}

namespace {

plots::History history_of(const std::string& bytes) {
    plots::History history;
    RunLog::resume(file_of(bytes, "log.jsonl"), int64_t(1) << 62, [&](const json::Value& row) { history.add(row); });
    return history;
}

}  // namespace

void run_history(const std::string& bytes) {
    hold(history_of(bytes).events.size() <= plots::History::most_events, "too many events");
}

void run_plots(const std::string& bytes) {
    const plots::History history = history_of(bytes);
    const std::string folder = std::filesystem::path(file_of(bytes, "log.jsonl")).parent_path().string() + "/plots";
    make_folders(folder);
    write_plots(history, folder);
}

}  // namespace gannet::fuzz
