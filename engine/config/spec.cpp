#include "engine/config/spec.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace gannet::config {
namespace {

constexpr double largest_size = 2147483647;
constexpr std::size_t longest_list = 1000;  // of numbers
constexpr std::size_t most_named = 60;      // words in a message; a longer list does not help

// "64", "\"big\"", "a list": what a message shows of a wrong value.
std::string shown(const Value& value) {
    if (value.list() || value.members()) return value.type_name();
    if (const std::string* text = value.text()) return "\"" + printable(*text) + "\"";
    return json::dump(value, -1);
}

std::string such_as(const std::string& example) { return "give a value such as " + example; }

[[noreturn]] void wrong_type(const Value& value, const std::string& key, const std::string& wanted, const std::string& example) {
    throw Error("'" + printable(key) + "' is " + shown(value) + ", but must be " + wanted, value.where(), such_as(example));
}

// The default of a key, or another value if it has none.
std::string example_of(const Key& key, const char* other) {
    return key.otherwise.is_null() || key.otherwise.members() ? other : json::dump(key.otherwise, -1);
}

void check_range(double d, const Value& value, const std::string& key, double min, double max, bool above_min = false,
                 bool below_max = false) {
    if (d >= min && d <= max && !(above_min && d == min) && !(below_max && d == max)) return;
    const std::string low = (above_min ? "more than " : "at least ") + number_text(min),
                      high = (below_max ? "less than " : "at most ") + number_text(max);
    const std::string limits = std::isinf(max) ? low : std::isinf(min) ? high : low + " and " + high;
    throw Error("'" + printable(key) + "' is " + shown(value) + ", out of range", value.where(), "it must be " + limits);
}

double read_number(const Value& value, const Key& key) {
    double d = 0;
    if (const auto* i = std::get_if<int64_t>(&value.data)) d = double(*i);
    else if (const auto* x = std::get_if<double>(&value.data)) d = *x;
    else wrong_type(value, key.name, "a number", example_of(key, "0.5"));
    if (!std::isfinite(d))
        throw Error("'" + key.name + "' is not a finite number", value.where(), such_as(example_of(key, "0.5")));
    check_range(d, value, key.name, key.min, key.max, key.above_min, key.below_max);
    return d;
}

int64_t read_bounded(const Value& value, const Key& key, const Variables& variables, double min, double max) {
    const int64_t i = read_integer(value, key, variables);
    Value checked = value;  // an expression is shown with what it comes to
    if (const std::string* text = value.text()) checked.data = *text + " = " + std::to_string(i);
    check_range(double(i), checked, key.name, min, max, key.above_min, key.below_max);
    return i;
}

int64_t read_size(const Value& value, const Key& key, const Variables& variables) {
    return read_bounded(value, key, variables, std::max(1.0, key.min), std::min(largest_size, key.max));
}

bool says_image(const Value& value) { return value.text() && *value.text() == "image"; }

Value read_list(const Value& value, const Key& key, const Variables& variables) {
    const bool whole = key.kind == Kind::integers;
    if (whole && says_image(value)) return "image";
    const std::string wanted =
        "a list of " + (key.length ? std::to_string(key.length) + " " : std::string()) + (whole ? "integers" : "numbers");
    const std::string example = example_of(key, whole ? "[128, 7, 7]" : "[0, 1]");
    const List* list = value.list();
    if (!list) wrong_type(value, key.name, wanted + (whole ? ", or \"image\"" : ""), example);
    if (key.length && list->size() != key.length)
        throw Error("'" + key.name + "' has " + counted(int64_t(list->size()), "entry", "entries") + ", but must be " + wanted,
                    value.where(), such_as(example));
    if (list->size() > longest_list)
        throw Error(
            "'" + key.name + "' has " + std::to_string(list->size()) + " entries, more than " + std::to_string(longest_list),
            value.where(), "use a shorter list");
    List out;
    for (const Value& entry : *list) {
        out.push_back(whole ? Value(read_size(entry, key, variables)) : Value(read_number(entry, key)));
        out.back().origin = entry.origin;
    }
    return out;
}

Value read_text(const Value& value, const Key& key) {
    const std::string* text = value.text();
    if (!text)
        wrong_type(value, key.name, key.choices.empty() ? "text" : join(key.choices),
                   key.choices.empty() ? "\"...\"" : "\"" + key.choices[0] + "\"");
    if (!key.choices.empty() && std::find(key.choices.begin(), key.choices.end(), *text) == key.choices.end())
        throw Error("'" + key.name + "' cannot be \"" + printable(*text) + "\"", value.where(),
                    suggest(*text, key.choices, "it can be", " or "));
    return *text;
}

std::string object_example(const ObjectSpec* spec) {
    return "{ \"" + (spec && !spec->keys.empty() ? spec->keys[0].name : std::string("lr")) + "\": ... }";
}

Value read_value(const Value& value, const Key& key, const Variables& variables) {
    switch (key.kind) {
        case Kind::integer: return read_bounded(value, key, variables, key.min, key.max);
        case Kind::number: return read_number(value, key);
        case Kind::boolean:
            if (!std::holds_alternative<bool>(value.data)) wrong_type(value, key.name, "true or false", example_of(key, "true"));
            return value;
        case Kind::text: return read_text(value, key);
        case Kind::size:
            if (key.width && says_image(value)) return "image";
            return read_size(value, key, variables);
        case Kind::numbers:
        case Kind::integers: return read_list(value, key, variables);
        case Kind::object:
            if (!value.members()) wrong_type(value, key.name, "an object, { ... }", object_example(key.object));
            return key.object ? read_object(value, *key.object, variables).all() : value;
        case Kind::layers:
            if (!value.list()) wrong_type(value, key.name, "a list of layers, [ ... ]", "[ { \"layer\": \"relu\" } ]");
            if (key.required && value.list()->empty())
                throw Error("'" + key.name + "' is an empty list", value.where(), "give it layers");
            return value;
        case Kind::anything: return value;
    }
    return value;
}

}  // namespace

const Key* ObjectSpec::find(const std::string& key) const {
    for (const Key& k : keys)
        if (k.name == key) return &k;
    return nullptr;
}

std::vector<std::string> ObjectSpec::names() const {
    std::vector<std::string> all;
    for (const Key& k : keys) all.push_back(k.name);
    return all;
}

bool given(const Value& object, const std::string& key) {
    const Value* value = object.find(key);
    return value && !value->is_null();
}

int64_t read_integer(const Value& value, const Key& key, const Variables& variables) {
    if (const auto* i = std::get_if<int64_t>(&value.data)) return *i;
    if (const auto* d = std::get_if<double>(&value.data); d && std::abs(*d) < 9e15 && *d == std::floor(*d))
        return int64_t(*d);  // 1e5
    if (const std::string* text = value.text(); text && text->find_first_of("$0123456789(") != std::string::npos)
        return evaluate(*text, variables, value.where());
    wrong_type(value, key.name, key.width ? "an integer, an expression such as \"$filters * 2\", or \"image\"" : "an integer",
               "64");
}

void refuse_unknown_keys(const Value& value, const ObjectSpec& spec) {
    if (const Members* members = value.members())
        for (const auto& [name, entry] : *members)
            if (!spec.find(name))
                throw Error("unknown key '" + printable(name) + "'", entry.where(),
                            suggest(name, spec.names(), "valid keys are"));
}

Object read_object(const Value& value, const ObjectSpec& spec, const Variables& variables) {
    if (!value.members()) wrong_type(value, spec.name, "an object, { ... }", object_example(&spec));
    refuse_unknown_keys(value, spec);
    const std::string path = value.path();
    Members out;
    for (const Key& key : spec.keys) {
        const Value* given = value.find(key.name);
        const bool absent = !given || given->is_null();
        if (absent && key.required) throw Error("missing key '" + key.name + "'", value.where(), "add it: " + key.doc);
        Value entry = absent ? key.otherwise : *given;
        if (absent) entry.move_to(path.empty() ? key.name : path + "." + key.name, "");
        if (!entry.is_null()) {
            const json::Origin origin = entry.origin;
            entry = read_value(entry, key, variables);
            entry.origin = origin;
        }
        out.emplace_back(key.name, std::move(entry));
    }
    Value read(std::move(out));
    read.origin = value.origin;
    return read;
}

// ---- words and numbers in messages and on the reference page ----------------------------------------------------------

std::string number_text(double d) {
    const double most = std::fmod(d, 1e6) == 0 ? 1e7 : 1e15;  // 2147483647, but 1e12
    if (std::abs(d) < most && d == std::floor(d)) return std::to_string(int64_t(d));
    std::string text = json::dump(d);  // 1e+12 is written 1e12
    text.erase(std::remove(text.begin(), text.end(), '+'), text.end());
    return text;
}

std::string join(const std::vector<std::string>& words, const std::string& last) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) out += (i == 0 ? "" : i + 1 == words.size() ? last : ", ") + words[i];
    return out;
}

std::string suggest(const std::string& word, const std::vector<std::string>& words, const std::string& what,
                    const std::string& last) {
    const std::string near = nearest(word, words);
    if (!near.empty()) return "did you mean '" + near + "'?";
    if (words.size() > most_named) return what + " " + join({words.begin(), words.begin() + most_named}, ", ") + ", ...";
    return words.empty() ? "this layer takes no keys" : what + " " + join(words, last);
}

// ---- Object ---------------------------------------------------------------------------------------------------------

const Value& Object::value(const std::string& key) const {
    static const Value none;
    const Value* found = value_.find(key);
    return found ? *found : none;
}

Value& Object::value(const std::string& key) { return value_.at(key); }

bool Object::has(const std::string& key) const { return !value(key).is_null(); }

// Types were checked when the object was read. These functions fail only for an absent key, or for "image" read as a number.
template <class T>
const T& Object::get(const std::string& key, const char* wanted) const {
    const T* found = std::get_if<T>(&value(key).data);
    if (!found && !has(key)) throw Error("'" + key + "' is not given", where(key), std::string("it must be ") + wanted);
    if (!found) wrong_type(value(key), key, wanted, "64");  // "image"
    return *found;
}

int64_t Object::integer(const std::string& key) const { return get<int64_t>(key, "an integer"); }
bool Object::boolean(const std::string& key) const { return get<bool>(key, "true or false"); }
const std::string& Object::text(const std::string& key) const { return get<std::string>(key, "text"); }
Object Object::object(const std::string& key) const { return has(key) ? Object(value(key)) : Object(); }

double Object::number(const std::string& key) const {
    if (const auto* i = std::get_if<int64_t>(&value(key).data)) return double(*i);
    return get<double>(key, "a number");
}

bool Object::is_image(const std::string& key) const { return says_image(value(key)); }

std::vector<double> Object::numbers(const std::string& key) const {
    std::vector<double> out;
    for (const Value& entry : get<List>(key, "a list of numbers")) out.push_back(std::get<double>(entry.data));
    return out;
}

std::vector<int64_t> Object::integers(const std::string& key) const {
    std::vector<int64_t> out;
    for (const Value& entry : get<List>(key, "a list of integers")) out.push_back(std::get<int64_t>(entry.data));
    return out;
}

std::string Object::where(const std::string& key) const {
    if (key.empty()) return value_.where();
    std::string path = value(key).path(), place = value(key).place();
    if (path.empty()) path = value_.path().empty() ? key : value_.path() + "." + key;
    if (place.empty()) place = value_.place();  // a default: the object that lacks it
    return json::where(path, place);
}

}  // namespace gannet::config
