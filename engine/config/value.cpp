// The only file that includes the JSON library: its parser calls back for each value, we note where it stood.
#include "engine/config/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/run/files.h"
#include "kernels/error.h"

namespace gannet::config {
namespace {

constexpr std::size_t deepest = 64;               // more would only serve to overflow a stack
constexpr std::size_t widest = 160;               // columns: any layer is one line
constexpr std::size_t largest_file = 16'000'000;  // bytes

// A byte of text that is not UTF-8 is written as Python's surrogateescape does, \udc80 to \udcff. The parser refuses these, so it
// is shown this, which is not a character, and the two digits of the byte: as many bytes as there were.
const std::string stand_in = "\xF4\x8F\xBF\xBE";  // U+10FFFE

// The code unit of \uXXXX at `at`; -1 if there is none.
int unit_at(const std::string& text, std::size_t at) {
    int unit = -1;
    if (at + 6 > text.size() || text.compare(at, 2, "\\u") != 0) return -1;
    const auto [end, error] = std::from_chars(&text[at + 2], &text[at + 6], unit, 16);
    return error == std::errc() && end == &text[at + 6] && unit >= 0 ? unit : -1;
}

std::string with_stand_ins(std::string text, const std::string& file) {
    bool taken = text.find(stand_in) != std::string::npos;
    for (std::size_t at = 0; (at = text.find('\\', at)) != std::string::npos;) {
        const int unit = unit_at(text, at), next = unit >= 0xD800 && unit <= 0xDBFF ? unit_at(text, at + 6) : -1;
        if (next >= 0xDC00 && next <= 0xDFFF) {
            taken = taken || (unit == 0xDBFF && next == 0xDFFE);
            at += 12;
        } else {
            if (unit >= 0xDC80 && unit <= 0xDCFF) text.replace(at, 4, stand_in);
            at += unit >= 0 ? 6 : 2;
        }
    }
    if (taken) throw Error("U+10FFFE in the text, which is not a character", file, "remove it");
    return text;
}

std::string with_bytes(std::string text) {
    std::size_t from = 0, at = text.find(stand_in);
    if (at == std::string::npos) return text;
    std::string out;
    for (; at != std::string::npos; at = text.find(stand_in, from)) {
        out.append(text, from, at - from);
        out += char(std::stoi(text.substr(at + 4, 2), nullptr, 16));
        from = at + 6;
    }
    return out.append(text, from);
}

// The length of the character at `at`; 0 where the text is not UTF-8.
std::size_t character_at(const std::string& text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return at + i < text.size() ? uint8_t(text[at + i]) : uint8_t(0); };
    const uint8_t first = byte(0), second = byte(1);
    if (first < 0x80) return 1;
    const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    // longer than need be, a surrogate, beyond U+10FFFF, what cannot be read back
    const bool none = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
                      (first == 0xF4 && second > 0x8F) || text.compare(at, length, stand_in) == 0;
    return none ? 0 : length;
}

// Tells how far the parser has read, which it does not itself.
class Reader {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    Reader(const char* at, const char** consumed) : at_(at), consumed_(consumed) {}
    reference operator*() const { return *at_; }
    Reader& operator++() {
        *consumed_ = ++at_;
        return *this;
    }
    Reader operator++(int) {
        Reader before = *this;
        ++*this;
        return before;
    }
    bool operator==(const Reader& other) const { return at_ == other.at_; }
    bool operator!=(const Reader& other) const { return at_ != other.at_; }

private:
    const char* at_;
    const char** consumed_;
};

class Builder : public nlohmann::json_sax<nlohmann::json> {
public:
    Builder(const std::string& text, std::string file)
        : consumed(text.data()), begin_(text.data()), counted_(text.data()), line_start_(text.data()), file_(std::move(file)) {}

    const char* consumed;
    Value root;

    bool null() override { return add(nullptr); }
    bool boolean(bool b) override { return add(b); }
    bool number_integer(int64_t i) override { return add(i); }
    bool number_unsigned(uint64_t i) override {
        if (i > uint64_t(std::numeric_limits<int64_t>::max())) too_big(std::to_string(i));
        return add(int64_t(i));
    }
    bool number_float(double d, const std::string& written) override {
        if (written.find_first_of(".eE") == std::string::npos) too_big(written);
        return add(d);
    }
    bool string(std::string& s) override { return add(with_bytes(std::move(s))); }
    bool binary(nlohmann::json::binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(Members{}); }
    bool start_array(std::size_t) override { return open(List{}); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(std::string& name) override {
        name = with_bytes(std::move(name));
        const auto [first, is_new] = keys_.back().emplace(name, line());
        if (!is_new)
            throw Error("the key '" + printable(name) + "' is given twice", place(),
                        "remove one; the first is on line " + std::to_string(first->second));
        key_ = name;
        return true;
    }

    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
        std::string what = e.what();  // "[json.exception...] parse error at line 3, column 5: syntax error while parsing ..."
        what = what.substr(std::min(what.find("] ") + 2, what.size()));
        if (const auto colon = what.find(": "); what.rfind("parse error at", 0) == 0 && colon != std::string::npos)
            what = what.substr(colon + 2);
        if (what.rfind("syntax error ", 0) == 0) what = what.substr(13);
        if (what.find("U+000A (LF) must be escaped") != std::string::npos) what = "text is not closed on its line: add a \"";
        if (after_comma()) what += "; remove the comma before it";
        line();
        throw Error("malformed JSON", place() + ", column " + std::to_string(std::max<std::ptrdiff_t>(1, consumed - line_start_)),
                    what);
    }

private:
    // A number ends where the next character, perhaps a line's end, has been read; so the last one consumed does not count.
    int64_t line() {
        for (; counted_ + 1 < consumed; ++counted_)
            if (*counted_ == '\n') {
                ++line_;
                line_start_ = counted_ + 1;
            }
        return line_;
    }
    std::string place() { return file_ + ":" + std::to_string(line()); }

    bool after_comma() const {
        if (consumed == begin_ || (consumed[-1] != '}' && consumed[-1] != ']')) return false;
        const char* at = consumed - 1;
        while (at > begin_ && std::strchr(" \t\r\n", at[-1])) --at;
        return at > begin_ && at[-1] == ',';
    }

    [[noreturn]] void too_big(const std::string& written) {
        throw Error("the integer " + printable(written) + " is too big", place(), "the largest is 9223372036854775807");
    }

    Value* place_value(Value value) {
        value.place = place();
        if (open_.empty()) {
            root = std::move(value);
            return &root;
        }
        Value& parent = *open_.back();
        if (auto* list = std::get_if<List>(&parent.data)) {
            value.path = parent.path + "[" + std::to_string(list->size()) + "]";
            list->push_back(std::move(value));
            return &list->back();
        }
        auto& members = std::get<Members>(parent.data);
        value.path = parent.path.empty() ? key_ : parent.path + "." + key_;
        members.emplace_back(key_, std::move(value));
        return &members.back().second;
    }
    bool add(Value value) {
        place_value(std::move(value));
        return true;
    }
    bool open(Value value) {
        if (open_.size() == deepest)
            throw Error("more than " + std::to_string(deepest) + " levels of { and [", place(), "nest less deeply");
        Value* opened = place_value(std::move(value));  // stays where it is while it is open: its parent gets nothing else
        open_.push_back(opened);
        keys_.emplace_back();
        return true;
    }
    bool close() {
        open_.pop_back();
        keys_.pop_back();
        return true;
    }

    const char *begin_, *counted_, *line_start_;
    int64_t line_ = 1;
    std::string file_, key_;
    std::vector<Value*> open_;
    std::vector<std::map<std::string, int64_t>> keys_;  // of each open object, with their lines
};

}  // namespace

Value parse_json(const std::string& written, const std::string& file) {
    const std::string text = with_stand_ins(written, file);
    if (text.find_first_not_of(" \t\r\n") == std::string::npos)
        throw Error("the file is empty", file, "it must hold one JSON object");
    // The parser would take a NUL byte for the end.
    if (const std::size_t nul = text.find('\0'); nul != std::string::npos)
        throw Error("malformed JSON",
                    file + ":" + std::to_string(1 + std::count(text.begin(), text.begin() + std::ptrdiff_t(nul), '\n')),
                    "there is a NUL byte in the text: is it a model file?");
    Builder builder(text, file);
    const char* end = text.data() + text.size();
    const bool strict = true, ignore_comments = true;
    nlohmann::json::sax_parse(Reader(text.data(), &builder.consumed), Reader(end, &builder.consumed), &builder,
                              nlohmann::json::input_format_t::json, strict, ignore_comments);
    return std::move(builder.root);
}

std::string read_text(const std::string& file) {
    if (is_folder(file)) throw Error("this is a folder", file, "name a file in it");
    std::string text = read_file(file, largest_file + 1);
    if (text.size() > largest_file) throw Error("the file is larger than 16 MB", file, "is it a model file?");
    return text;
}

Value load_json(const std::string& file) { return parse_json(read_text(file), file); }

const Value* Value::find(const std::string& key) const {
    if (const Members* all = members())
        for (const auto& [name, value] : *all)
            if (name == key) return &value;
    return nullptr;
}

Value* Value::find(const std::string& key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

Value& Value::at(const std::string& key) {
    if (is_null()) data = Members{};
    if (Value* found = find(key)) return *found;
    auto* all = std::get_if<Members>(&data);
    if (!all) throw Error("no '" + printable(key) + "' inside " + type_name(), where(), "check the path of the key");
    return all->emplace_back(key, Value()).second;
}

std::string Value::type_name() const {
    static const char* names[] = {"null", "true or false", "a number", "a number", "text", "a list", "an object"};
    return names[data.index()];
}

std::string Value::where() const { return printable(path) + (path.empty() || place.empty() ? "" : ", ") + place; }

void Value::move_to(const std::string& new_path, const std::string& new_place) {
    path = new_path;
    place = new_place;
    if (auto* entries = std::get_if<List>(&data))
        for (std::size_t i = 0; i < entries->size(); ++i) (*entries)[i].move_to(path + "[" + std::to_string(i) + "]", place);
    if (auto* all = std::get_if<Members>(&data))
        for (auto& [key, value] : *all) value.move_to(path.empty() ? key : path + "." + key, place);
}

namespace {

std::string quote(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_text(const std::string& text) {
    const auto dumped = [&](std::size_t from, std::size_t to) {
        const std::string quoted = nlohmann::json(text.substr(from, to - from)).dump();
        return quoted.substr(1, quoted.size() - 2);
    };
    std::string out = "\"";
    std::size_t from = 0;
    for (std::size_t at = 0, length = 0; at < text.size(); at += length) {
        length = character_at(text, at);
        if (length > 0) continue;
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\udc%02x", unsigned(uint8_t(text[at])));
        out += dumped(from, at) + escape;
        length = 1;
        from = at + 1;
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

std::string dump_json(const Value& value, int indent) {
    std::string out;
    dump(value, indent, 0, 0, out);
    return out;
}

std::string printable(const std::string& text) {
    const std::size_t most = 200;
    std::string out = quote(text.size() > most ? text.substr(0, most) + "..." : text);
    out = out.substr(1, out.size() - 2);
    for (std::size_t at = 0; (at = out.find("\\\"", at)) != std::string::npos; ++at)
        out.erase(at, 1);  // quotes need no escape here
    return out;
}

}  // namespace gannet::config
