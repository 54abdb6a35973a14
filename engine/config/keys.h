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
inline Key number(const char* name, double otherwise, double min, double max, const char* doc) {
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
inline Key section(const char* name, const ObjectSpec& spec, const char* doc) {
    return {.name = name, .kind = Kind::object, .doc = doc, .otherwise = Members{}, .object = &spec};
}
inline Key free_at_resume(Key key) {
    key.free_at_resume = true;
    return key;
}

}  // namespace gannet::config
