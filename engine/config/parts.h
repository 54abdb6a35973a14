// The steps of reading a model file, for model.cpp.
#pragma once
#include <optional>

#include "engine/config/model.h"

namespace gannet::config {

// One change to a file that was parsed but not read yet.
struct Setting {
    std::vector<std::string> path;  // "generator", "3", "channels"
    Value value;
    std::optional<std::string> text;  // instead of the value: read by the type of its key
    std::string place;                // "--set generator.3.channels=64", or where a file says it
    std::string folder;               // that relative paths count from; "": the working folder
};
Setting read_setting(const std::string& setting, const std::string& place);  // "key.path=value"
// "generator.3.channels" or, as messages write it, "generator[3].channels", in parts.
std::vector<std::string> split_path(const std::string& path, const std::string& place);
// One after the other. Numbers of entries are those of the lists before: only at the end do entries that became null go away,
// and those that became a list give way to its entries.
void apply_settings(Value& file, const std::vector<Setting>& settings);

// The file `path` was parsed as `root`: what it says put on top of the files that "base" names, and then its "set". Its relative
// paths count from `folder`, those of a base from the base's own.
Value with_bases(Value root, const std::string& path, const std::string& folder);

// The key that a path leads to outside of lists and optimizers; null where there is none.
const Key* key_at(const std::vector<std::string>& path);

// "~" and "~user" at the start as home folders, where they are known.
std::string expand_home(const std::string& path);
// `path` from `folder` ("": the working folder), home folders expanded, without "." and ".."; links are kept. "" stays.
std::string absolute_path(const std::string& path, const std::string& folder);
// Makes those texts absolute that are paths: in a file, or in the value that `key` (may be null) is given.
void place_paths(Value& file, const std::string& folder);
void place_paths(Value& value, const Key* key, const std::string& folder);

// Reads lists of layers; `repeat` is expanded away. 10,000 layers are the most, of all lists together.
class Expander {
public:
    explicit Expander(const Variables& variables) : variables_(variables) {}
    std::vector<LayerConfig> expand(const Value& list) { return expand(list, 1); }

private:
    std::vector<LayerConfig> expand(const Value& list, double widen);
    void add(const Value& entry, double widen, std::vector<LayerConfig>& out);
    void repeat(const Object& keys, double widen, std::vector<LayerConfig>& out);

    const Variables& variables_;
    int64_t count_ = 0;
};
// Back to what a file holds.
Value layers_value(const std::vector<LayerConfig>& layers);

struct Optimizers {
    OptimizerConfig generator, discriminator;
    Value effective;  // so written that a later --set of a key still means what it did in the file
};
Optimizers read_optimizers(const Value& given);

// The key cuda.tune: the name of a file is replaced by what it holds, which is checked. `precision` is cuda.precision's value.
void read_tuning(Value& tune, const std::string& precision);

// Keys that make no sense together. `objective` is the section as it was written, to tell a given key from a default.
void check_model(const ModelConfig& model, const Value& objective);
void check_data(const ModelConfig& model);  // of both kinds of models

}  // namespace gannet::config
