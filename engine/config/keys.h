// Rows for the tables of keys.
#pragma once
#include <limits>
#include <string>
#include <vector>

#include "engine/config/spec.h"

namespace gannet::config {

inline constexpr double no_limit = std::numeric_limits<double>::infinity();

// The name, the default ({}: absent unless given), what is allowed, the meaning.
inline Key integer(const char* name, const Value& otherwise, double min, double max, const char* doc) {
    return {.name = name, .kind = Kind::integer, .doc = doc, .otherwise = otherwise, .min = min, .max = max};
}
inline Key number(const char* name, const Value& otherwise, double min, double max, const char* doc) {
    return {.name = name, .kind = Kind::number, .doc = doc, .otherwise = otherwise, .min = min, .max = max};
}
inline Key boolean(const char* name, bool otherwise, const char* doc) {
    return {.name = name, .kind = Kind::boolean, .doc = doc, .otherwise = otherwise};
}
inline Key text(const char* name, const Value& otherwise, const char* doc) {
    return {.name = name, .kind = Kind::text, .doc = doc, .otherwise = otherwise};
}
inline Key word(const char* name, const Value& otherwise, const std::vector<std::string>& choices, const char* doc) {
    return {.name = name, .kind = Kind::text, .doc = doc, .otherwise = otherwise, .choices = choices};
}
// With at most `max`.
inline Key size(const char* name, const Value& otherwise, double max, const char* doc) {
    return {.name = name, .kind = Kind::size, .doc = doc, .otherwise = otherwise, .max = max};
}
inline Key width(const char* name, const Value& otherwise, double max, const char* doc) {
    return {.name = name, .kind = Kind::size, .doc = doc, .otherwise = otherwise, .max = max, .width = true};
}
inline Key layers(const char* name, const char* doc, const Value& otherwise = {}) {
    return {.name = name, .kind = Kind::layers, .doc = doc, .otherwise = otherwise};
}
inline Key anything(const char* name, const char* doc) { return {.name = name, .kind = Kind::anything, .doc = doc}; }
// Absent unless given.
inline Key object(const char* name, const ObjectSpec* spec, const char* doc) {
    return {.name = name, .kind = Kind::object, .doc = doc, .object = spec};
}
inline Key section(const char* name, const ObjectSpec& spec, const char* doc) {
    return {.name = name, .kind = Kind::object, .doc = doc, .otherwise = Members{}, .object = &spec};
}
inline Key required(Key key) {
    key.required = true;
    return key;
}
inline Key replacing(const char* other, Key key) {
    key.replaces = other;
    return key;
}
inline Key above_min(Key key) {
    key.above_min = true;
    return key;
}
inline Key below_max(Key key) {
    key.below_max = true;
    return key;
}
inline Key path(Key key) {
    key.is_path = true;
    return key;
}
inline Key free_at_resume(Key key) {
    key.free_at_resume = true;
    return key;
}

}  // namespace gannet::config
