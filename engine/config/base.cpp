// "base": a model file that has only the differences from another one.
#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "engine/config/settings.h"

namespace gannet::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_chain = 16;
constexpr std::size_t most_settings = 1000;

Value take(Value& object, const std::string& key) {
    Members& all = std::get<Members>(object.data);
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& member) { return member.first == key; });
    if (found == all.end()) return {};
    Value value = std::move(found->second);
    all.erase(found);
    return value;
}

// A JSON merge patch (RFC 7396), except that a null for an absent key is an error: it is a misspelt key.
void merge(Value& base, const Value& over) {
    std::set<std::string> removed;
    for (const auto& [name, value] : *over.members()) {
        Value* old = base.find(name);
        if (value.is_null()) {
            if (!old)
                throw Error("'" + printable(value.path()) + "' is null, but the base has no such key to remove", value.where(),
                            "remove the line");
            removed.insert(name);
        } else if (old && old->members() && value.members()) {
            merge(*old, value);
            old->origin = value.origin;
        } else {
            base.at(name) = value;
        }
    }
    if (removed.empty()) return;
    Members kept;
    for (auto& member : std::get<Members>(base.data))
        if (!removed.count(member.first)) kept.push_back(std::move(member));
    base.data = std::move(kept);
}

std::vector<Setting> read_set(const Value& set, const std::string& folder) {
    if (!set.members())
        throw Error("'set' is " + set.type_name() + ", but must be an object, { ... }", set.where(),
                    "write \"set\": { \"generator.3.channels\": 64 }");
    if (set.members()->size() > most_settings)
        throw Error("'set' has " + std::to_string(set.members()->size()) + " entries, more than " + std::to_string(most_settings),
                    set.where(), "write the keys where they belong");
    std::vector<Setting> settings;
    for (const auto& [path, value] : *set.members())
        settings.push_back(
            {.path = split_path(path, value.where()), .value = value, .text = {}, .place = value.where(), .folder = folder});
    return settings;
}

// The file that `base` names, relative to the folder of the file `path`.
std::string find_base(const Value& base, const std::string& path, const std::vector<std::string>& chain) {
    if (!base.text())
        throw Error("'base' is " + base.type_name() + ", but must be the name of a model file", base.where(),
                    "write \"base\": \"other.json\"");
    const std::string file = normal_path(fs::path(path).parent_path() / expand_home(*base.text())).string();
    if (base.text()->empty() || !exists(file))
        throw Error("there is no base '" + printable(file) + "'", base.where(),
                    "give its path from the folder of the file that names it");
    std::error_code error;
    for (const std::string& before : chain)
        if (fs::equivalent(before, file, error))
            throw Error("'" + printable(file) + "' has itself as its base, directly or through other files", base.where(),
                        "name another file");
    if (chain.size() == longest_chain)
        throw Error("a chain of more than " + std::to_string(longest_chain) + " bases", base.where(),
                    "base it on a file nearer to the first");
    return file;
}

Value resolve(Value root, const std::string& path, const std::string& folder, const ObjectSpec& spec,
              std::vector<std::string> chain) {
    if (!root.members())
        throw Error("a model file must be an object, { ... }, but this is " + root.type_name(), root.where(), "start it with {");
    const Value base = take(root, "base"), set = take(root, "set");
    place_paths(root, spec, folder);
    if (base.is_null()) {
        if (!set.is_null()) throw Error("'set' without 'base'", set.where(), "write the keys where they belong");
        return root;
    }
    chain.push_back(path);
    const std::string file = find_base(base, path, chain);
    Value merged = resolve(json::load(file), file, fs::path(file).parent_path().string(), spec, chain);
    for (const char* own : {"name", "version"}) take(merged, own);
    for (const Key& key : spec.keys)
        if (!key.replaces.empty() && given(root, key.name) && !given(root, key.replaces)) take(merged, key.replaces);
    merge(merged, root);
    merged.origin = root.origin;
    if (!set.is_null()) apply_settings(merged, read_set(set, folder), spec);
    return merged;
}

}  // namespace

Value with_bases(Value root, const std::string& path, const std::string& folder, const ObjectSpec& spec) {
    return resolve(std::move(root), path, folder, spec, {});
}

}  // namespace gannet::config
