#include "engine/train/checkpoint.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.h"
#include "base/extents.h"
#include "base/files.h"
#include "base/text.h"
#include "base/version.h"

namespace gannet {
namespace {

const char* const advice = "give a checkpoint.safetensors that this program wrote, or the run folder that holds it";

int64_t to_integer(const Safetensors& content, const std::string& file, const std::string& key) {
    const auto found = content.metadata.find(key);
    if (found == content.metadata.end()) throw Error("no '" + key + "' in its metadata", file, advice);
    try {
        std::size_t used = 0;
        const int64_t value = std::stoll(found->second, &used);
        if (used == found->second.size() && value >= 0) return value;
    } catch (const std::exception&) {
    }
    throw Error("'" + key + "' is '" + found->second.substr(0, 40) + "' in its metadata", file, advice);
}

// The path of the first key in which two configurations differ; "" if none.
std::string difference(const json::Value& a, const json::Value& b, const std::string& path) {
    const auto* left = std::get_if<json::Members>(&a.data);
    const auto* right = std::get_if<json::Members>(&b.data);
    if (left && right) {
        for (const auto& [key, value] : *left) {
            const json::Value* other = b.find(key);
            const std::string below = path.empty() ? key : path + "." + key;
            if (!other) return below;
            if (const std::string found = difference(value, *other, below); !found.empty()) return found;
        }
        for (const auto& member : *right)
            if (!a.find(member.first)) return path.empty() ? member.first : path + "." + member.first;
        return "";
    }
    const auto* list = std::get_if<json::List>(&a.data);
    const auto* other = std::get_if<json::List>(&b.data);
    if (list && other) {
        for (std::size_t i = 0; i < std::min(list->size(), other->size()); ++i)
            if (const std::string found = difference((*list)[i], (*other)[i], path + "[" + std::to_string(i) + "]");
                !found.empty())
                return found;
        return list->size() == other->size() ? "" : path;
    }
    return json::dump(a, -1) == json::dump(b, -1) ? "" : path;
}

}  // namespace

Safetensors checkpoint_of(Trainer& trainer, const json::Members& run) {
    Safetensors content;
    const SampleShape image = trainer.image();
    const config::SharedConfig& config = trainer.config();
    content.metadata = {{"format", "pt"},  // PyTorch's loaders expect this
                        {"program", "gannet"},
                        {"version", version()},
                        {"checkpoint_format", std::to_string(checkpoint_format)},
                        {"config", json::dump(config.effective, -1)},
                        {"image_height", std::to_string(image.H)},
                        {"image_width", std::to_string(image.W)},
                        {"image_channels", std::to_string(image.C)},
                        {"seed", std::to_string(config.seed)},
                        {"step", std::to_string(trainer.step_count())},
                        {"images_seen", std::to_string(trainer.images_seen())},
                        {"data", trainer.data_key()}};
    if (!run.empty()) content.metadata["run"] = json::dump(json::Value(run), -1);
    for (const Trainer::Part& part : trainer.parts()) append_state(content.arrays, "", part.network, &part.optimizer);
    return content;
}

std::string first_not_finite(const Safetensors& content) {
    for (const Array& array : content.arrays) {
        bool finite = true;
        const auto check = [&]<class T>(T) {
            array.pieces([&](const std::byte* bytes, std::size_t count) {
                finite = finite && all_finite(reinterpret_cast<const T*>(bytes), count / sizeof(T));
            });
        };
        if (array.dtype == "F32") check(float());
        if (array.dtype == "F64") check(double());
        if (!finite) return array.name;
    }
    return "";
}

void refuse_model_file(const std::string& path) {
    if (path.ends_with(".json") && exists(path) && !is_folder(path))
        throw Error("a model file, not a run or checkpoint", path, "train it with ./apps/train, and give its run");
}

void check_is_run(const std::string& folder) {
    const char* const to_do = "give the folder of a run, such as runs/MODEL";
    refuse_model_file(folder);
    if (!exists(folder)) throw Error("no such run", folder, to_do);
    if (!exists(folder + "/config.json")) throw Error("not the folder of a run: it has no config.json", folder, to_do);
    for (const char* name : {"config.json", "log.jsonl", checkpoint_name}) check_is_file(folder + "/" + name);
}

std::string find_checkpoint(const std::string& run_or_file) {
    refuse_model_file(run_or_file);
    if (!is_folder(run_or_file)) {
        if (!exists(run_or_file))
            throw Error("no such run or checkpoint", run_or_file, "give the folder of a run or a .safetensors file");
        return run_or_file;
    }
    const std::string run = without_slash(run_or_file), file = run + "/" + checkpoint_name;
    check_is_run(run);
    if (!exists(file)) throw Error("the run has no checkpoint yet", file, "start it with --resume " + run);
    return file;
}

Checkpoint load_checkpoint(const std::string& path) {
    Checkpoint checkpoint;
    checkpoint.file = is_folder(path) ? (std::filesystem::path(path) / checkpoint_name).string() : path;
    checkpoint.content = open_safetensors(checkpoint.file);
    const auto& metadata = checkpoint.content.metadata;
    const auto text = [&](const char* key) { return metadata.contains(key) ? metadata.at(key) : std::string(); };
    if (text("program") != "gannet") throw Error("not a checkpoint of this program", checkpoint.file, advice);
    if (!metadata.contains("config")) throw Error("no configuration in its metadata", checkpoint.file, advice);
    const int64_t format =
        metadata.contains("checkpoint_format") ? to_integer(checkpoint.content, checkpoint.file, "checkpoint_format") : 1;
    if (format < 1 || format > checkpoint_format)
        throw Error("this checkpoint has format " + std::to_string(format) + "; this build reads 1 to " +
                        std::to_string(checkpoint_format),
                    checkpoint.file, "use the build that wrote it, or a newer one");
    if (metadata.contains("run")) checkpoint.run = json::parse(text("run"), checkpoint.file);
    checkpoint.config = json::parse(text("config"), checkpoint.file);
    const json::Value* cuda = checkpoint.config.find("cuda");
    if (!cuda || !cuda->members())
        throw Error("the embedded configuration is not a model configuration", checkpoint.file, advice);
    checkpoint.image = {to_integer(checkpoint.content, checkpoint.file, "image_height"),
                        to_integer(checkpoint.content, checkpoint.file, "image_width"),
                        to_integer(checkpoint.content, checkpoint.file, "image_channels"), false};
    if (int64_t size = 1; !multiply(size, std::array{checkpoint.image.H, checkpoint.image.W, checkpoint.image.C}) || size == 0)
        throw Error("its images are " + checkpoint.image.str() + " in its metadata", checkpoint.file, advice);
    // Of any array, although a program may use only the generator's: the images of such a state are not worth drawing.
    if (const std::string name = first_not_finite(checkpoint.content); !name.empty()) throw not_finite(name, checkpoint.file);
    checkpoint.data = text("data");
    checkpoint.position = {to_integer(checkpoint.content, checkpoint.file, "step"),
                           to_integer(checkpoint.content, checkpoint.file, "images_seen")};
    return checkpoint;
}

config::ModelConfig config_of(const Checkpoint& checkpoint) {
    return config::parse_model(json::dump(checkpoint.config), checkpoint.file, {});
}

bool Checkpoint::stopped() const {
    const json::Value* reason = run.find("stopped");
    return reason && reason->text() && !reason->text()->empty();
}

bool same_data(const std::string& then, const std::string& now) {
    return then.empty() || then == now || now.starts_with(then + ", labels ");  // commit 93aca1e did not look at labels
}

void restore(const Checkpoint& checkpoint, Trainer& trainer) {
    if (!same_data(checkpoint.data, trainer.data_key()))
        throw Error(
            "the images are not those of the run: " + trainer.data_key() + " now, " + checkpoint.data.substr(0, 80) + " then",
            checkpoint.file, "give it the same data, or start a new run");
    if (const SampleShape& now = trainer.image(); !(checkpoint.image == now))
        throw Error("its images are " + checkpoint.image.str() + ", the data are " + now.str(), checkpoint.file, advice);
    constexpr int64_t most_steps = 1000000000000;  // no run has more
    const Counters& at = checkpoint.position;
    if (at.step > most_steps || at.images_seen != trainer.images_before(at.step))
        throw Error("'images_seen' is " + std::to_string(at.images_seen) + " after " + counted(at.step, "step") + ", not " +
                        (at.step > most_steps ? "possible" : std::to_string(trainer.images_before(at.step))),
                    checkpoint.file, advice);
    for (const Trainer::Part& part : trainer.parts())
        load_state(checkpoint.content, checkpoint.file, part.network, &part.optimizer);
    trainer.set_position(checkpoint.position);
}

void check_same_config(const Checkpoint& checkpoint, const json::Value& effective) {
    // Read again, so that keys that the older program did not know get their defaults.
    const config::ModelConfig before = config_of(checkpoint);
    const std::string key = difference(config::identity(config::shared(before).effective), config::identity(effective), "");
    if (!key.empty())
        throw Error("'" + key + "' differs from the run's configuration", checkpoint.file,
                    "resume with the run's own configuration, or start a new run");
}

}  // namespace gannet
