// A JSON value that knows its place in the file, so that error messages can name it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "base/text.h"

namespace gannet::json {

struct Value;
using List = std::vector<Value>;

// The members of an object, in the order of the file. Large objects use an index for look-up.
class Members : public std::vector<std::pair<std::string, Value>> {
public:
    using Vector = std::vector<std::pair<std::string, Value>>;
    using Vector::Vector;
    Members() = default;
    Members(const Members& other);
    Members(Members&&) noexcept = default;
    Members& operator=(const Members& other);
    Members& operator=(Members&&) noexcept = default;

    std::size_t index_of(const std::string& key) const;  // size() if it is absent
    iterator erase(const_iterator member);               // the only way to remove one

private:
    struct Index;
    struct Delete {
        void operator()(Index* index) const;
    };
    mutable std::unique_ptr<Index, Delete> index_;
};

// Where a value was written: its parent, its index there, its line. Messages build their texts from this, so a value needs only a
// few bytes.
struct Holder;
struct Origin {
    std::shared_ptr<const Holder> in;
    uint32_t index = 0, line = 0;
    std::string path() const;   // "generator[3].channels"; "" is the whole file
    std::string place() const;  // "models/wgan.json:12", or "--set generator.3.channels=big"; "" for a default
};

// A list or an object as the origin of its entries; or a path and a place as text.
struct Holder {
    Origin at;                      // its own
    std::vector<std::string> keys;  // of an object
    struct Text {
        std::string path, place;
    };
    std::unique_ptr<const Text> text = nullptr;
};
Origin origin_of(const std::string& path, const std::string& place);

struct Value {
    std::variant<std::nullptr_t, bool, int64_t, double, std::string, List, Members> data = nullptr;
    Origin origin;

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
    std::string path() const { return origin.path(); }
    std::string place() const { return origin.place(); }
    std::string where() const;                                        // "generator[3].channels, models/wgan.json:12"
    void move_to(const std::string& path, const std::string& place);  // this value and all values inside it
    void rename(const std::string& path);                             // the same, but keeps lines and files; all of one file
};

constexpr std::size_t largest_text = 16'000'000;  // bytes of a model file, a table, a line of a log

// Comments (// and /* */) are allowed, duplicate keys are not. At most 64 levels. Errors name line and column.
Value parse(const std::string& text, const std::string& file, std::size_t largest = largest_text,
            const FreeMemory& free = free_memory_now);
std::string read_text(const std::string& file);  // a file of at most `largest_text` bytes
Value load(const std::string& file);
// indent < 0 writes one line; otherwise values that fit into 160 columns are written on one line. Numbers read back exactly; NaN
// and infinities are written as null. Bytes that are not UTF-8 are written as \udc80 to \udcff, and read back.
std::string dump(const Value& value, int indent = 2);
std::string where(const std::string& path, const std::string& place);  // "PATH, PLACE"

}  // namespace gannet::json
