// Changes to a file of keys before it is read: "base", "set" and the command line's --set, and the paths in them.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/config/spec.h"

namespace gannet::config {

// One change to a file that was parsed but not read yet.
struct Setting {
    std::vector<std::string> path;  // "generator", "3", "channels"
    Value value;
    std::optional<std::string> text;  // instead of the value: read by the type of its key
    std::string place;                // "--set generator.3.channels=64", or where a file says it
    std::string folder;               // the base of relative paths; "": the working folder
};
Setting read_setting(const std::string& setting, const std::string& place);  // "key.path=value"
// "generator.3.channels" or, as messages write it, "generator[3].channels", in parts.
std::vector<std::string> split_path(const std::string& path, const std::string& place);
// Applies the settings in order. Entry numbers refer to the original lists: only at the end are entries that became null removed,
// and entries that became a list replaced by its entries. `spec` is the table of the file's keys.
void apply_settings(Value& file, const std::vector<Setting>& settings, const ObjectSpec& spec);

// Merges the file `path`, parsed as `root`, over the files that "base" names, then applies its "set". Its relative paths are
// relative to `folder`, those of a base to the folder of the base.
Value with_bases(Value root, const std::string& path, const std::string& folder, const ObjectSpec& spec);

// The key at a path through objects with tables; null if there is none.
const Key* key_at(const ObjectSpec& spec, const std::vector<std::string>& path);

// "~" and "~user" at the start as home folders, where they are known.
std::string expand_home(const std::string& path);
// Without "." and "..", where that names the same file.
std::filesystem::path normal_path(const std::filesystem::path& path);
// `path` from `folder` ("": the working folder), home folders expanded, without "." and ".."; links are kept. "" stays.
std::string absolute_path(const std::string& path, const std::string& folder);
// Makes all paths absolute, in a file with these keys or in a value for `key` (which may be null).
void place_paths(Value& file, const ObjectSpec& spec, const std::string& folder);
void place_paths(Value& value, const Key* key, const std::string& folder);

}  // namespace gannet::config
