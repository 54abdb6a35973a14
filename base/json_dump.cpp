// Writes JSON.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/json_escape.h"
#include "base/text.h"

namespace gannet::json {
namespace {

constexpr std::size_t widest = 160;  // columns: any layer is one line

std::string json_text(const std::string& text) {
    const auto dumped = [&](std::size_t from, std::size_t to) {
        const std::string quoted = nlohmann::json(text.substr(from, to - from)).dump();
        return quoted.substr(1, quoted.size() - 2);
    };
    std::string out = "\"";
    std::size_t from = 0;
    for (std::size_t at = 0, length = 0; at < text.size(); at += length) {
        length = character_at(text, at);
        // JSON may hold DEL and C1 as they are, a terminal should not get them.
        const bool control = text[at] == 0x7f || (length == 2 && uint8_t(text[at]) == 0xC2 && uint8_t(text[at + 1]) < 0xA0);
        if (length > 0 && !control) continue;
        length = std::max<std::size_t>(length, 1);
        const unsigned code = uint8_t(text[at + length - 1]);
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", control ? code : 0xdc00 + code);
        out += dumped(from, at) + escape;
        from = at + length;
    }
    return out + dumped(from, text.size()) + "\"";
}

std::string number_text(double d) {
    if (!std::isfinite(d)) return "null";
    char buffer[40];
    std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, d).ptr);  // the shortest that reads back the same
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    if (const auto e = text.find('e'); e != std::string::npos && text[e + 2] == '0') text.erase(e + 2, 1);  // 1e-4, not 1e-04
    return text;
}

// `prefix` is what stands before the value on its line, `after` what follows.
void dump(const Value& value, int indent, int level, std::size_t prefix, std::string& out) {
    if (const auto* b = std::get_if<bool>(&value.data)) out += *b ? "true" : "false";
    else if (const auto* i = std::get_if<int64_t>(&value.data)) out += std::to_string(*i);
    else if (const auto* d = std::get_if<double>(&value.data)) out += number_text(*d);
    else if (const auto* s = value.text()) out += json_text(*s);
    else if (value.is_null()) out += "null";
    else {
        const List* list = value.list();
        const Members* members = value.members();
        const std::size_t count = list ? list->size() : members->size();
        const char *open = list ? "[" : "{", *close = list ? "]" : "}";
        bool broken = indent >= 0 && count > 0;
        if (broken && level > 0) {
            std::string line;
            dump(value, -1, level, 0, line);
            broken = prefix + line.size() > widest;
        }
        const std::string margin = broken ? "\n" + std::string(std::size_t(indent * (level + 1)), ' ') : "";
        out += open;
        for (std::size_t k = 0; k < count; ++k) {
            if (k > 0) out += broken ? "," : ", ";
            out += margin;
            std::string key;
            if (members) key = json_text((*members)[k].first) + ": ";
            out += key;
            const std::size_t column = std::size_t(std::max(indent, 0) * (level + 1)) + key.size();
            dump(list ? (*list)[k] : (*members)[k].second, broken ? indent : -1, level + 1, column, out);
        }
        if (broken) out += "\n" + std::string(std::size_t(indent * level), ' ');
        out += close;
    }
}

}  // namespace

std::string dump(const Value& value, int indent) {
    std::string out;
    dump(value, indent, 0, 0, out);
    return out;
}

}  // namespace gannet::json
