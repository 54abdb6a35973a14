// Makes paths in model files and settings absolute when they are read, so that the working folder does not matter afterwards.
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "engine/config/settings.h"

namespace gannet::config {
namespace {

namespace fs = std::filesystem;

// The home folder of a user ("": the current one); "" if it is unknown.
std::string home_of(const std::string& user) {
    const char* home = user.empty() ? std::getenv("HOME") : nullptr;
    if (home && *home) return home;
    const passwd* entry = user.empty() ? ::getpwuid(::getuid()) : ::getpwnam(user.c_str());
    return entry && entry->pw_dir ? entry->pw_dir : "";
}

}  // namespace

std::string expand_home(const std::string& path) {
    if (path.empty() || path[0] != '~') return path;
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string home = home_of(path.substr(1, end - 1));
    return home.empty() ? path : home + path.substr(end);
}

// "a/.." is another folder than "." where a is a link.
fs::path normal_path(const fs::path& path) {
    std::error_code error;
    const fs::path normal = path.lexically_normal();
    return fs::exists(path, error) && !fs::equivalent(path, normal, error) ? path : normal;
}

std::string absolute_path(const std::string& path, const std::string& folder) {
    if (path.empty()) return path;
    std::error_code error;
    const fs::path whole = fs::absolute(fs::path(folder) / expand_home(path), error);
    if (error) return path;  // the working folder is gone
    std::string out = normal_path(whole).string();
    while (out.size() > 1 && out.back() == '/') out.pop_back();
    return out;
}

void place_paths(Value& file, const ObjectSpec& spec, const std::string& folder) {
    for (const Key& key : spec.keys)
        if (key.is_path || key.object)
            if (Value* value = file.find(key.name)) place_paths(*value, &key, folder);
}

void place_paths(Value& value, const Key* key, const std::string& folder) {
    std::string* text = std::get_if<std::string>(&value.data);
    if (text && key && key->is_path) *text = absolute_path(*text, folder);
    if (key && key->object) place_paths(value, *key->object, folder);
}

const Key* key_at(const ObjectSpec& spec, const std::vector<std::string>& path) {
    const ObjectSpec* object = &spec;
    const Key* key = nullptr;
    for (const std::string& part : path) {
        key = object ? object->find(part) : nullptr;
        object = key ? key->object : nullptr;
    }
    return key;
}

}  // namespace gannet::config
