// A JSON value that knows where it was written, so that every complaint names its place.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace gannet::config {

struct Value;
using List = std::vector<Value>;
using Members = std::vector<std::pair<std::string, Value>>;  // in the order of the file

struct Value {
    std::variant<std::nullptr_t, bool, int64_t, double, std::string, List, Members> data = nullptr;
    std::string path;   // "generator[3].channels"; "" is the whole file
    std::string place;  // "models/wgan.json:12", or "--set generator.3.channels=big"; "" for a default

    Value() = default;
    Value(std::nullptr_t) {}
    Value(bool b) : data(b) {}
    Value(int i) : data(int64_t(i)) {}
    Value(int64_t i) : data(i) {}
    Value(double d) : data(d) {}
    Value(const char* s) : data(std::string(s)) {}
    Value(std::string s) : data(std::move(s)) {}
    Value(List list) : data(std::move(list)) {}
    Value(Members members) : data(std::move(members)) {}

    bool is_null() const { return data.index() == 0; }
    const Members* members() const { return std::get_if<Members>(&data); }  // null unless this is an object
    const List* list() const { return std::get_if<List>(&data); }
    const std::string* text() const { return std::get_if<std::string>(&data); }
    const Value* find(const std::string& key) const;  // null unless this is an object that has the key
    Value* find(const std::string& key);
    Value& at(const std::string& key);  // of an object; added if absent
    std::string type_name() const;      // "an object", "a list", "text", "a number", "true or false", "null"
    std::string where() const;          // "generator[3].channels, models/wgan.json:12"
    void move_to(const std::string& new_path, const std::string& new_place);  // it and all that it holds
};

// Comments (// and /* */) are allowed, duplicate keys are not, 64 levels are the most. Errors name line and column.
Value parse_json(const std::string& text, const std::string& file);
std::string read_text(const std::string& file);  // a file of at most 16 MB
Value load_json(const std::string& file);
// indent < 0 writes one line; otherwise what fits into a line of 160 columns is one. Numbers are written so that they
// read back the same; NaN and infinities as null. Bytes that are not UTF-8 are written as \udc80 to \udcff, and read back.
std::string dump_json(const Value& value, int indent = 2);
// For messages: one line, shortened, control characters escaped.
std::string printable(const std::string& text);

}  // namespace gannet::config
