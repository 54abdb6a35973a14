// --set key.path=value. Only the path is followed here; what comes of it is checked when the file is read, as all the rest.
#include <algorithm>

#include "engine/config/parts.h"
#include "kernels/error.h"

namespace gannet::config {
namespace {

// "generator.3.channels" or, as messages write it, "generator[3].channels".
std::vector<std::string> split(const std::string& path, const std::string& place) {
    std::string dotted;
    for (const char c : path)
        if (c != ']') dotted += c == '[' ? '.' : c;
    std::vector<std::string> parts = {""};
    for (const char c : dotted) {
        if (c == '.') parts.emplace_back();
        else parts.back() += c;
    }
    if (std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); }) || parts.size() > 64)
        throw Error("'" + printable(path) + "' is no path to a key", place, "write --set key.path=value");
    return parts;
}

bool all_of(const std::string& text, const char* characters) { return text.find_first_not_of(characters) == std::string::npos; }

// JSON, or else text; but what sets out to be a list, an object or a number is no text.
Value read_value(const std::string& text, const std::string& place) {
    if (all_of(text, " \t\r\n")) return text;
    try {
        return parse_json(text, "value");
    } catch (const Error& e) {
        if (std::string("[{\"").find(text[0]) == std::string::npos && !all_of(text, "+-0123456789")) return text;
        throw Error("cannot read the value", place, e.what());
    }
}

Value& entry(Value& list, const std::string& number, const std::string& place) {
    List& entries = std::get<List>(list.data);
    const bool ok = number.size() <= 9 && all_of(number, "0123456789");
    if (!ok || std::size_t(std::stoul(number)) >= entries.size())
        throw Error("the list '" + list.path + "' has no entry '" + printable(number) + "'", place,
                    entries.empty() ? "it is empty" : "its entries are 0 to " + std::to_string(entries.size() - 1));
    return entries[std::size_t(std::stoul(number))];
}

// A misspelt variable would be a new one that nothing uses.
void check_variable(const Value& file, const std::string& name, const std::string& place) {
    const Value* variables = file.find("variables");
    if (!variables || !variables->members()) throw Error("the file declares no variables", place, "add \"variables\" to it");
    std::vector<std::string> names;
    for (const auto& [known, value] : *variables->members()) names.push_back(known);
    if (!variables->find(name))
        throw Error("unknown variable '" + printable(name) + "'", place, suggest(name, names, "the variables are"));
}

}  // namespace

void apply_setting(Value& file, const std::string& setting) {
    const std::string place = "--set " + printable(setting);
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) throw Error("no '=' in the setting", place, "write --set key.path=value");
    const std::vector<std::string> parts = split(setting.substr(0, equals), place);
    if (parts.size() > 1 && parts[0] == "variables") check_variable(file, parts[1], place);

    Value* at = &file;
    for (const std::string& part : parts) {
        if (at->list()) {
            at = &entry(*at, part, place);
            continue;
        }
        if (!at->members() && !at->is_null())
            throw Error("no '" + printable(part) + "' inside '" + at->path + "', which is " + at->type_name(), place,
                        "end the path before it");
        if (!at->find(part)) at->at(part).move_to(at->path.empty() ? part : at->path + "." + part, place);
        at = at->find(part);
    }
    Value value = read_value(setting.substr(equals + 1), place);
    value.move_to(at->path, place);
    *at = std::move(value);

    // one replaces the other
    if (parts.size() == 1 && !at->is_null() && (parts[0] == "steps" || parts[0] == "epochs"))
        if (Value* other = file.find(parts[0] == "steps" ? "epochs" : "steps")) *other = Value();
}

}  // namespace gannet::config
