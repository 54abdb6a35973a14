// --set key.path=value, and "set" in files. This code only follows paths; the reader of the file checks the result.
#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "engine/config/settings.h"

namespace gannet::config {
namespace {

using Path = std::vector<std::string>;

bool all_of(const std::string& text, const char* characters) { return text.find_first_not_of(characters) == std::string::npos; }

// "+.5", "1." and "007" as JSON writes them; "" where `word` is not a number.
std::string json_number(const std::string& word) {
    std::size_t at = 0;
    const auto take = [&](const char* any, bool many = false) {
        const std::size_t from = at;
        while (at < word.size() && std::strchr(any, word[at]) && (many || at == from)) ++at;
        return word.substr(from, at - from);
    };
    const std::string sign = take("+-");
    std::string whole = take("0123456789", true);
    const std::string point = take("."), fraction = point.empty() ? "" : take("0123456789", true);
    std::string exponent = take("eE");
    if (!exponent.empty()) {
        exponent += take("+-");
        const std::string digits = take("0123456789", true);
        if (digits.empty()) return "";
        exponent += digits;
    }
    if (at < word.size() || (whole.empty() && fraction.empty())) return "";
    whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
    return (sign == "-" ? "-" : "") + (whole.empty() ? "0" : whole) + point +
           (point.empty() || !fraction.empty() ? fraction : "0") + exponent;
}

// JSON with relaxed number formats, such as 1. and .5.
std::string with_json_numbers(const std::string& text) {
    std::string out, word;
    bool quoted = false;
    const auto end_word = [&] {
        const std::string number = json_number(word);
        out += number.empty() ? word : number;
        word.clear();
    };
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (!quoted && !std::strchr(" \t\r\n[]{}:,\"", c)) {
            word += c;
            continue;
        }
        end_word();
        out += c;
        if (c == '"') quoted = !quoted;
        if (quoted && c == '\\' && at + 1 < text.size()) out += text[++at];
    }
    end_word();
    return out;
}

// The value of a text key is the text itself. Other values are JSON, or else text, unless the text starts like a list, an object
// or a number: then it must be valid JSON.
Value read_value(const std::string& text, const Key* key, const std::string& place) {
    if (all_of(text, " \t\r\n")) return text;
    const bool holds_text = key && (key->kind == Kind::text || (key->is_path && text[0] != '{'));
    if (holds_text && text[0] != '"' && text != "null") return text;
    try {
        return json::parse(with_json_numbers(text), "value");
    } catch (const Error& e) {
        if (std::string("[{\"").find(text[0]) == std::string::npos && json_number(text).empty()) return text;
        throw Error("cannot read the value", place, std::string("write a valid JSON value: ") + e.what());
    }
}

// Null if there is no such entry.
Value* find_entry(List& entries, const std::string& number) {
    if (number.size() > 9 || !all_of(number, "0123456789") || std::size_t(std::stoul(number)) >= entries.size()) return nullptr;
    return &entries[std::size_t(std::stoul(number))];
}

Value& entry(Value& list, const std::string& number, const std::string& place) {
    List& entries = std::get<List>(list.data);
    if (Value* found = find_entry(entries, number)) return *found;
    throw Error("the list '" + list.path() + "' has no entry '" + printable(number) + "'", place,
                entries.empty() ? "it is empty" : "its entries are 0 to " + std::to_string(entries.size() - 1));
}

// A misspelt variable would silently create an unused one.
void check_variable(const Value& file, const std::string& name, const std::string& place) {
    const Value* variables = file.find("variables");
    if (!variables || !variables->members()) throw Error("the file declares no variables", place, "add \"variables\" to it");
    if (variables->find(name)) return;
    std::vector<std::string> names;
    for (const auto& [known, value] : *variables->members()) names.push_back(known);
    throw Error("unknown variable '" + printable(name) + "'", place, suggest(name, names, "the variables are"));
}

// Paths of list entries that were set, with padded numbers: later and inner entries sort later.
using Entries = std::set<Path>;

void assign(Value& file, const Setting& setting, const ObjectSpec& spec, Entries& touched) {
    const auto& [path, value, text, place, folder] = setting;
    if (path[0] == "base" || path[0] == "set")
        throw Error("'" + path[0] + "' is read before settings are applied", place, "write a model file that has it");
    if (path.size() > 1 && path[0] == "variables") check_variable(file, path[1], place);

    Value* at = &file;
    Path padded;
    bool in_list = false;
    for (const std::string& part : path) {
        padded.push_back(part);
        in_list = at->list() != nullptr;
        if (in_list) {
            at = &entry(*at, part, place);
            padded.back().insert(0, 9 - part.size(), '0');
            continue;
        }
        if (!at->members() && !at->is_null())
            throw Error("no '" + printable(part) + "' inside '" + at->path() + "', which is " + at->type_name(), place,
                        "end the path before it");
        if (!at->find(part)) at->at(part).move_to(at->path().empty() ? part : at->path() + "." + part, place);
        at = at->find(part);
    }
    const Key* key = key_at(spec, path);
    Value given = value;
    if (text) {
        given = read_value(*text, key, place);
        given.move_to(at->path(), place);
    }
    place_paths(given, key, folder);
    given.rename(at->path());
    *at = std::move(given);
    if (in_list) touched.insert(padded);

    if (path.size() == 1 && !at->is_null() && key && !key->replaces.empty())
        if (Value* other = file.find(key->replaces)) *other = Value();
}

// From last to first, so that the remaining entries keep their numbers.
void settle(Value& file, const Entries& touched) {
    for (auto path = touched.rbegin(); path != touched.rend(); ++path) {
        Value* holder = &file;
        for (std::size_t i = 0; holder && i + 1 < path->size(); ++i) {
            auto* entries = std::get_if<List>(&holder->data);
            holder = entries ? find_entry(*entries, (*path)[i]) : holder->find((*path)[i]);
        }
        auto* entries = holder ? std::get_if<List>(&holder->data) : nullptr;
        Value* found = entries ? find_entry(*entries, path->back()) : nullptr;
        if (!found || !(found->is_null() || found->list())) continue;
        const List instead = found->list() ? *found->list() : List();
        const auto at = entries->erase(entries->begin() + (found - entries->data()));
        entries->insert(at, instead.begin(), instead.end());
    }
}

}  // namespace

Path split_path(const std::string& path, const std::string& place) {
    std::string dotted;
    for (const char c : path)
        if (c != ']') dotted += c == '[' ? '.' : c;
    Path parts = {""};
    for (const char c : dotted) {
        if (c == '.') parts.emplace_back();
        else parts.back() += c;
    }
    if (std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); }) || parts.size() > 64)
        throw Error("'" + printable(path) + "' is not a path to a key", place, "write --set key.path=value");
    return parts;
}

Setting read_setting(const std::string& setting, const std::string& place) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) throw Error("no '=' in the setting", place, "write --set key.path=value");
    return {split_path(setting.substr(0, equals), place), {}, setting.substr(equals + 1), place, ""};
}

void apply_settings(Value& file, const std::vector<Setting>& settings, const ObjectSpec& spec) {
    Entries touched;
    for (const Setting& setting : settings) assign(file, setting, spec, touched);
    settle(file, touched);
}

}  // namespace gannet::config
