// Reads JSON: the library's parser calls back for each value, and the code records its place.
#include "base/json.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"
#include "base/files.h"
#include "base/json_escape.h"

namespace gannet::json {

namespace {

constexpr std::size_t deepest = 64;  // deeper nesting could overflow the stack

std::string megabytes(std::size_t bytes) { return std::to_string(bytes / 1'000'000) + " MB"; }

// Tracks how far the parser has read, because the parser does not report it.
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
    Builder(const std::string& text, std::string file, const FreeMemory& free)
        : consumed(text.data()),
          begin_(text.data()),
          counted_(text.data()),
          line_start_(text.data()),
          file_(std::move(file)),
          free_(free),
          source_(origin_of("", file_).in) {}

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
        open_.back().key_lines.push_back(uint32_t(line()));
        key_ = with_bytes(std::move(name));
        return true;
    }

    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
        std::string what = e.what();  // "[json.exception...] parse error at line 3, column 5: syntax error while parsing ..."
        what = what.substr(std::min(what.find("] ") + 2, what.size()));
        if (const auto colon = what.find(": "); what.rfind("parse error at", 0) == 0 && colon != std::string::npos)
            what = what.substr(colon + 2);
        if (what.rfind("syntax error ", 0) == 0) what = what.substr(13);
        what = "correct the text: " + what;
        if (what.find("U+000A (LF) must be escaped") != std::string::npos) what = "text is not closed on its line: add a \"";
        if (after_comma()) what += "; remove the comma before it";
        line();
        throw Error("malformed JSON", place() + ", column " + std::to_string(std::max<std::ptrdiff_t>(1, consumed - line_start_)),
                    what);
    }

private:
    // A number ends when the parser has read the next character, possibly a newline, so the last character consumed is not
    // counted.
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

    // The open list or object; its address does not change until it is closed.
    struct Open {
        Value* value;
        std::shared_ptr<Holder> holder = nullptr;  // made for the first value in it
        std::vector<uint32_t> key_lines = {};
    };

    // Values take many times the bytes of their text. So there must be room for the next ones, and for a long list's copy while
    // it grows.
    template <class Values>
    void check_room(const Values& values) {
        constexpr std::size_t often = 1 << 16, bytes_each = 300, large = 4 << 20;
        const std::size_t bytes = values.size() * sizeof(values[0]);
        const std::size_t wanted = values.size() == values.capacity() && bytes > large ? 2 * bytes : 0;
        if (++values_ % often != 0 && wanted == 0) return;
        if (!lack_of_memory(double(wanted + often * bytes_each), free_()).empty())
            throw LackOfMemory("the values of the JSON text take more memory than is free", place(),
                               "give the program more memory, or a smaller file");
    }

    Value* place_value(Value value) {
        value.origin.line = uint32_t(line());
        if (open_.empty()) {
            value.origin.in = source_;
            root = std::move(value);
            return &root;
        }
        Open& parent = open_.back();
        if (!parent.holder) parent.holder = std::make_shared<Holder>(Holder{parent.value->origin, {}});
        value.origin.in = parent.holder;
        if (auto* list = std::get_if<List>(&parent.value->data)) {
            check_room(*list);
            value.origin.index = uint32_t(list->size());
            list->push_back(std::move(value));
            return &list->back();
        }
        auto& members = std::get<Members>(parent.value->data);
        check_room(members);
        value.origin.index = uint32_t(members.size());
        parent.holder->keys.push_back(key_);
        members.emplace_back(std::move(key_), std::move(value));
        return &members.back().second;
    }
    bool add(Value value) {
        place_value(std::move(value));
        return true;
    }
    bool open(Value value) {
        if (open_.size() == deepest)
            throw Error("more than " + std::to_string(deepest) + " levels of { and [", place(), "nest less deeply");
        Value* opened = place_value(std::move(value));
        open_.push_back({opened});
        return true;
    }
    bool close() {
        if (open_.back().holder) refuse_duplicates(open_.back());
        open_.pop_back();
        return true;
    }

    void refuse_duplicates(const Open& object) const {
        const std::vector<std::string>& keys = object.holder->keys;
        std::vector<uint32_t> order(keys.size());
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
        const auto first =
            std::adjacent_find(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return keys[a] == keys[b]; });
        if (first == order.end()) return;
        throw Error("the key '" + printable(keys[*first]) + "' is given twice",
                    file_ + ":" + std::to_string(object.key_lines[first[1]]),
                    "remove one; the first is on line " + std::to_string(object.key_lines[*first]));
    }

    const char *begin_, *counted_, *line_start_;
    int64_t line_ = 1;
    std::string file_, key_;
    const FreeMemory& free_;
    std::size_t values_ = 0;
    std::shared_ptr<const Holder> source_;
    std::vector<Open> open_;
};

}  // namespace

Value parse(const std::string& written, const std::string& file, std::size_t largest, const FreeMemory& free) {
    if (written.size() > largest) throw Error("the JSON text is larger than " + megabytes(largest), file, "is it a model file?");
    const std::string text = with_stand_ins(written, file);
    if (text.find_first_not_of(" \t\r\n") == std::string::npos)
        throw Error("the file is empty", file, "it must hold one JSON object");
    // The parser would treat a NUL byte as the end.
    if (const std::size_t nul = text.find('\0'); nul != std::string::npos)
        throw Error("malformed JSON",
                    file + ":" + std::to_string(1 + std::count(text.begin(), text.begin() + std::ptrdiff_t(nul), '\n')),
                    "there is a NUL byte in the text: is it a model file?");
    Builder builder(text, file, free);
    const char* end = text.data() + text.size();
    const bool strict = true, ignore_comments = true;
    nlohmann::json::sax_parse(Reader(text.data(), &builder.consumed), Reader(end, &builder.consumed), &builder,
                              nlohmann::json::input_format_t::json, strict, ignore_comments);
    return std::move(builder.root);
}

std::string read_text(const std::string& file) {
    if (is_folder(file)) throw Error("this is a folder", file, "name a file in it");
    std::string text = read_file(file, largest_text + 1);
    if (text.size() > largest_text)
        throw Error("the file is larger than " + megabytes(largest_text), file, "is it a model file?");
    return text;
}

Value load(const std::string& file) { return parse(read_text(file), file); }

}  // namespace gannet::json
