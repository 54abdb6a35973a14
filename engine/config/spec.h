// Tables of the keys that an object of the model file may have. The reader checks against them, and docs/model-format.md is
// generated from them.
#pragma once
#include <limits>
#include <string>
#include <vector>

#include "base/json.h"

namespace gannet::config {

using json::List;
using json::Members;
using json::Value;

enum class Kind {
    integer,  // or an expression of integers and variables ("$filters * 2")
    number,
    boolean,
    text,      // one of `choices`, or any text if there are none
    size,      // an integer >= 1, an expression, or, if it is a `width`, "image": the data's own
    numbers,   // a list of `length` numbers (0: any length)
    integers,  // a list of `length` sizes (0: any length), or the text "image"
    object,    // described by `object`
    layers,    // a list of layers, which read_object leaves as it is
    anything,  // checked elsewhere
};

struct ObjectSpec;

struct Key {
    std::string name;
    Kind kind = Kind::number;
    std::string doc;  // one line: meaning and unit
    bool required = false;
    Value otherwise = nullptr;  // the default; null: absent unless given
    double min = -std::numeric_limits<double>::infinity(), max = std::numeric_limits<double>::infinity();
    std::vector<std::string> choices = {};
    std::size_t length = 0;
    const ObjectSpec* object = nullptr;
    bool above_min = false, below_max = false;  // the limit itself is not allowed
    bool is_path = false;                       // its text names a file or folder: made absolute when it is read
    bool width = false;                         // may be "image", and `repeat` widens it
    std::string replaces = {};    // another key of the object, which a later file or setting that has this one drops
    bool free_at_resume = false;  // does not affect the training's results: a resumed run may have a different value
};

struct ObjectSpec {
    std::string name;
    std::string doc;
    std::vector<Key> keys;
    const Key* find(const std::string& key) const;  // null if there is none
    std::vector<std::string> names() const;
};

// An object after reading: every key of its spec is present (defaults filled in, null if absent), types are checked.
class Object {
public:
    Object() = default;
    Object(Value value) : value_(std::move(value)) {}
    bool has(const std::string& key) const;  // present and not null
    int64_t integer(const std::string& key) const;
    double number(const std::string& key) const;
    bool boolean(const std::string& key) const;
    const std::string& text(const std::string& key) const;
    bool is_image(const std::string& key) const;  // the size "image"
    std::vector<double> numbers(const std::string& key) const;
    std::vector<int64_t> integers(const std::string& key) const;
    Object object(const std::string& key) const;
    const Value& value(const std::string& key) const;
    Value& value(const std::string& key);
    const Value& all() const { return value_; }
    std::string where(const std::string& key = "") const;  // for errors: the key's place, or the object's

private:
    template <class T>
    const T& get(const std::string& key, const char* wanted) const;
    Value value_;
};

// A word that a key may hold and what it stands for. The key's choices and its reader take both from one list of them.
template <class T>
struct Choice {
    const char* word;
    T value;
};
template <class T, std::size_t n>
std::vector<std::string> words(const Choice<T> (&choices)[n]) {
    std::vector<std::string> out;
    for (const Choice<T>& choice : choices) out.emplace_back(choice.word);
    return out;
}
template <class T, std::size_t n>
T choice(const Choice<T> (&choices)[n], const std::string& word) {
    std::size_t i = 0;
    while (i + 1 < n && word != choices[i].word) ++i;  // the table of keys let no other word in
    return choices[i].value;
}
template <class T, std::size_t n>
std::string word_of(const Choice<T> (&choices)[n], T value) {
    std::size_t i = 0;
    while (i + 1 < n && choices[i].value != value) ++i;
    return choices[i].word;
}

// Whether `object` has the key, and it is not null.
bool given(const Value& object, const std::string& key);

using Variables = Members;  // integers

// Evaluates integers, $variables, + - * / ^ ( ) and signs. Throws Error for malformed text, unknown variables (with the nearest
// one), overflow, and divisions with a remainder. `where` is the place of the expression.
int64_t evaluate(const std::string& expression, const Variables& variables, const std::string& where);
// A number or an expression as an integer.
int64_t read_integer(const Value& value, const Key& key, const Variables& variables);

// Reads `value` by `spec`. Throws Error for unknown keys (with the nearest valid one), wrong types, values out of range,
// and missing required keys, each with its place. A null counts as an absent key.
Object read_object(const Value& value, const ObjectSpec& spec, const Variables& variables);

std::string number_text(double d);  // of a limit or a default: 64, 0.5, 1e12
std::string join(const std::vector<std::string>& words, const std::string& last = " or ");  // "a, b or c"
// The advice for a word that is not in `words`: "did you mean 'x'?", or `what` and all of them.
std::string suggest(const std::string& word, const std::vector<std::string>& words, const std::string& what,
                    const std::string& last = " and ");
// The first key of `value` that `spec` does not have, as an Error.
void refuse_unknown_keys(const Value& value, const ObjectSpec& spec);

}  // namespace gannet::config
