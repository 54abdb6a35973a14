// Changes to a file of keys before it is read: "base", "set" and the command line's --set. Paths in them.
#pragma once
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
    std::string folder;               // that relative paths count from; "": the working folder
};
Setting read_setting(const std::string& setting, const std::string& place);  // "key.path=value"
// "generator.3.channels" or, as messages write it, "generator[3].channels", in parts.
std::vector<std::string> split_path(const std::string& path, const std::string& place);
// One after the other. Numbers of entries are those of the lists before: only at the end do entries that became null go away,
// and those that became a list give way to its entries.
// `spec` is the table of the file's keys.
void apply_settings(Value& file, const std::vector<Setting>& settings, const ObjectSpec& spec);

// The file `path` was parsed as `root`: what it says put on top of the files that "base" names, and then its "set". Its relative
// paths count from `folder`, those of a base from the base's own.
Value with_bases(Value root, const std::string& path, const std::string& folder, const ObjectSpec& spec);

// The key that a path leads to through objects with a table; null where there is none.
const Key* key_at(const ObjectSpec& spec, const std::vector<std::string>& path);

// "~" and "~user" at the start as home folders, where they are known.
std::string expand_home(const std::string& path);
// `path` from `folder` ("": the working folder), home folders expanded, without "." and ".."; links are kept. "" stays.
std::string absolute_path(const std::string& path, const std::string& folder);
// Makes those texts absolute that are paths: in a file with these keys, or in the value that `key` (may be null) is given.
void place_paths(Value& file, const ObjectSpec& spec, const std::string& folder);
void place_paths(Value& value, const Key* key, const std::string& folder);

}  // namespace gannet::config
