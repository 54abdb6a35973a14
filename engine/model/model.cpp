#include "engine/model/model.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "engine/config/settings.h"
#include "engine/model/choices.h"
#include "engine/model/parts.h"
#include "engine/model/sections.h"

namespace gannet::config {
namespace {

bool is_name(const std::string& text) {
    const std::string letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return !text.empty() && text.find_first_not_of(letters + "0123456789") == std::string::npos &&
           letters.find(text[0]) != std::string::npos;
}

Variables read_variables(const Object& file) {
    Variables variables;
    if (!file.has("variables")) return variables;
    const Value& given = file.value("variables");
    if (!given.members())
        throw Error("'variables' is " + given.type_name() + ", but must be an object, { ... }", given.where(),
                    "write \"variables\": { \"filters\": 64 }");
    for (const auto& [name, value] : *given.members()) {
        if (!is_name(name))
            throw Error("'" + printable(name) + "' is not a valid name of a variable", value.where(),
                        "use letters, digits and _");
        variables.emplace_back(name, read_integer(value, {.name = name}, variables));
    }
    return variables;
}

// The run folder gets this name.
std::string read_name(const Object& file, const std::string& path) {
    if (!file.has("name")) {
        const std::string stem = std::filesystem::path(path).stem().string();
        const std::size_t start = stem.find_first_not_of('.');  // "..json"; and no hidden folder
        return start == std::string::npos ? "run" : stem.substr(start);
    }
    const std::string& name = file.text("name");
    if (name.empty() || name.size() > 200 || name[0] == '.' || name.find_first_of("/\\") != std::string::npos ||
        std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        throw Error(
            "'" + printable(name) + "' is not a valid name of a model", file.where("name"),
            "the run's folder gets it: use at most 200 bytes, without '/', '\\' and control characters, and no '.' at the start");
    return name;
}

Value without_absent(const Value& object) {
    Members out;
    for (const auto& [name, value] : *object.members())
        if (!value.is_null()) out.emplace_back(name, value.members() ? without_absent(value) : value);
    Value present(std::move(out));
    present.origin = object.origin;
    return present;
}

// The contents of `file`, with the sections and lists as they were read.
Value effective_file(const SharedConfig& model, const ObjectSpec& spec, const Object& file, const Variables& variables,
                     const Members& read) {
    static const char* const apart[] = {"base", "set", "name", "version", "variables"};  // of the file, not of the model
    Value out(Members{{"name", model.name}});
    if (!variables.empty()) out.at("variables") = variables;
    for (const std::string& key : spec.names()) {
        if (std::find(std::begin(apart), std::end(apart), key) != std::end(apart)) continue;
        const auto own = std::find_if(read.begin(), read.end(), [&](const auto& member) { return member.first == key; });
        if (own != read.end()) out.at(key) = own->second;
        else if (file.all().find(key) && file.has(key))
            out.at(key) = file.value(key).members() ? without_absent(file.value(key)) : file.value(key);
    }
    return out;
}

DataConfig read_data(const Object& data) {
    const std::vector<double> range = data.numbers("range");
    return {.images = {.set = data.text("set"),
                       .path = data.text("path"),
                       .split = data.text("split"),
                       .size = data.integer("size"),
                       .first = data.integer("first"),
                       .channels = data.integer("channels"),
                       .crop = data.integer("crop"),
                       .background = data.text("background"),
                       .skip_broken = choice(skip_broken, data.text("broken")),
                       .cache = data.boolean("cache"),
                       .max_pixels = data.integer("max_pixels"),
                       .max_bytes = data.integer("max_bytes"),
                       .report = {},
                       .where = [data](const std::string& key) { return data.where(key); }},
            .black = range[0],
            .white = range[1],
            .shuffle = data.boolean("shuffle")};
}

InitConfig read_init(const Object& init) {
    return {.conv = choice(weight_rules, init.text("conv")),
            .linear = choice(weight_rules, init.text("linear")),
            .std = init.number("std"),
            .zero_biases = choice(zero_biases, init.text("bias")),
            .gamma_std = init.number("gamma_std")};
}

Numerics read_numerics(const Object& compute, const Object& cpu, const Object& cuda) {
    Numerics out;
    out.precision = choice(precisions, compute.text("precision"));
    out.matmul = choice(matmul_choices, cuda.text("matmul"));
    out.exact_convolutions = cpu.boolean("exact");
    if (cuda.has("tune")) out.tuned = read_products(cuda.value("tune"));
    return out;
}

void read_shared(const Object& file, const std::string& path, SharedConfig& model) {
    model.name = read_name(file, path);
    model.file = path;
    model.data = read_data(file.object("data"));
    model.init = read_init(file.object("init"));
    model.numerics = read_numerics(file.object("compute"), file.object("cpu"), file.object("cuda"));
    if (file.object("cuda").has("tune")) model.tuned_on = Object(file.object("cuda").value("tune")).text("gpu");
    model.storage = choice(storages, file.object("compute").text("storage"));
    const Object cuda = file.object("cuda");
    model.cuda = {cuda.boolean("graph"), choice(cuda_data, cuda.text("data"))};
    model.batch = file.integer("batch");
    if (file.has("steps") == file.has("epochs"))
        throw Error(file.has("steps") ? "both 'steps' and 'epochs' are given" : "neither 'steps' nor 'epochs' is given",
                    file.has("steps") ? file.where("epochs") : file.where(), "give one of them: the length of the training");
    model.steps = file.has("steps") ? file.integer("steps") : 0;
    model.epochs = file.has("epochs") ? file.integer("epochs") : 0;
    model.seed = uint64_t(file.integer("seed"));
    model.log_every = file.integer("log_every");
    model.checkpoint_every = file.number("checkpoint_every");
    model.fuse = file.boolean("fuse");
}

GanConfig read_gan(const Value& root, const Object& file, const std::string& path, const Variables& variables) {
    GanConfig model;
    read_shared(file, path, model);
    const Object latent = file.object("latent"), samples = file.object("samples");
    model.latent = {latent.integer("size"), choice(distributions, latent.text("distribution"))};
    Value objective;
    model.objective = read_objective(file.object("objective"), *root.find("objective"), objective);
    model.samples = {.rows = samples.integer("rows"),
                     .columns = samples.integer("columns"),
                     .every = samples.integer("every"),
                     .batch_statistics = choice(batch_statistics, samples.text("statistics")),
                     .min_max = choice(min_max_contrast, samples.text("contrast"))};
    model.observe = {file.object("observe").integer("every")};
    model.share_scores = file.boolean("share_scores");
    model.join_batches = file.boolean("join_batches");
    model.stop_on_collapse = choice(stop_on_collapse, file.text("on_collapse"));
    model.allow_size_mismatch = file.boolean("allow_size_mismatch");

    int64_t layers = 0;
    model.generator = expand_layers(file.value("generator"), variables, layers);
    model.discriminator = expand_layers(file.value("discriminator"), variables, layers);
    Optimizers optimizers = read_optimizers(file.value("optimizer"));
    model.generator_optimizer = optimizers.generator;
    model.discriminator_optimizer = optimizers.discriminator;

    model.effective = effective_file(model, file_spec, file, variables,
                                     {{"generator", layers_value(model.generator)},
                                      {"discriminator", layers_value(model.discriminator)},
                                      {"objective", without_absent(objective)},
                                      {"optimizer", std::move(optimizers.effective)}});
    check_gan(model);
    return model;
}

ClassifierConfig read_classifier(const Object& file, const std::string& path, const Variables& variables) {
    ClassifierConfig model;
    read_shared(file, path, model);
    int64_t layers = 0;
    model.classifier = expand_layers(file.value("classifier"), variables, layers);
    const Value& optimizer = file.value("optimizer");
    for (const char* network : {"generator", "discriminator"})
        if (given(optimizer, network))
            throw Error("a classifier has no " + std::string(network), optimizer.find(network)->where(), "remove the key");
    Optimizers optimizers = read_optimizers(optimizer);
    model.optimizer = optimizers.generator;
    model.effective =
        effective_file(model, classifier_file_spec, file, variables,
                       {{"classifier", layers_value(model.classifier)}, {"optimizer", std::move(optimizers.effective)}});
    check_data(model);
    return model;
}

// cuda.precision, the old name of compute.precision, is read as it.
void rename_precision(const Value& root, Object& file) {
    Value& old = file.value("cuda").at("precision");
    if (old.is_null()) return;
    const Value* compute = root.find("compute");
    if (compute && given(*compute, "precision"))
        throw Error("'cuda.precision' and 'compute.precision' are both given", old.where(),
                    "'cuda.precision' is the old name of 'compute.precision': remove it, or set it to null");
    file.value("compute").at("precision") = old;
    old = Value();
}

ModelConfig read_model(const Value& root, const std::string& path) {
    const bool classifier = given(root, "classifier");
    const ObjectSpec& spec = classifier ? classifier_file_spec : file_spec;
    // variables first, because all other keys may use them
    refuse_unknown_keys(root, spec);
    Members only_variables;
    if (const Value* given = root.find("variables")) only_variables.emplace_back("variables", *given);
    const Variables variables = read_variables(Value(only_variables));

    Object file = read_object(root, spec, variables);
    rename_precision(root, file);
    if (Value& tune = file.value("cuda").at("tune"); !tune.is_null()) read_tuning(tune, file.object("compute").text("precision"));
    if (classifier) return read_classifier(file, path, variables);
    return read_gan(root, file, path, variables);
}

Value without_free_keys(const Value& object, const ObjectSpec& spec) {
    Members out;
    for (const auto& [name, value] : *object.members()) {
        const Key* key = spec.find(name);
        if (key && key->free_at_resume) continue;
        out.emplace_back(name, key && key->object && value.members() ? without_free_keys(value, *key->object) : value);
    }
    return out;
}

ModelConfig with_settings(Value root, const std::string& path, const std::string& folder, const Settings& settings) {
    root = with_bases(std::move(root), path, folder, file_spec);
    std::vector<Setting> changes;
    for (const Settings::Entry& entry : settings.entries()) changes.push_back(read_setting(entry.text, entry.place));
    apply_settings(root, changes, file_spec);
    return naming_settings(settings, [&] { return read_model(root, path); });
}

template <class Kind>
Kind only(ModelConfig model, const char* what, const std::string& to_do) {
    if (Kind* found = std::get_if<Kind>(&model)) return std::move(*found);
    throw Error(what, shared(model).file, to_do);
}

}  // namespace

std::string SharedConfig::where(const std::string& path) const {
    const Value* at = &effective;
    std::string place;  // of a default: the object that lacks it
    for (const std::string& key : split_path(path, path)) {
        at = at ? at->find(key) : nullptr;
        if (at && !at->place().empty()) place = at->place();
    }
    return json::where(at && !at->path().empty() ? at->path() : path, place);
}

const SharedConfig& shared(const ModelConfig& model) {
    return std::visit([](const auto& config) -> const SharedConfig& { return config; }, model);
}

GanConfig gan_of(ModelConfig model, const std::string& to_do) {
    return only<GanConfig>(std::move(model), "this is a classifier, not a GAN", to_do);
}

ClassifierConfig classifier_of(ModelConfig model, const std::string& to_do) {
    return only<ClassifierConfig>(std::move(model), "this is a GAN, not a classifier", to_do);
}

ModelConfig load_model(const std::string& file, const Settings& settings) {
    namespace fs = std::filesystem;
    std::error_code error;
    const bool pipe = fs::is_fifo(file, error);  // a pipe has no folder: `train <(jq ...)`
    return with_settings(json::load(file), file, pipe ? "" : fs::path(file).parent_path().string(), settings);
}

ModelConfig load_run_config(const std::string& file, const Settings& settings) {
    return with_settings(json::load(file), file, "", settings);
}

ModelConfig parse_model(const std::string& text, const std::string& file, const Settings& settings) {
    return with_settings(json::parse(text, file), file, "", settings);
}

Value identity(const Value& effective) { return without_free_keys(effective, file_spec); }

}  // namespace gannet::config
