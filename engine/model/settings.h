// The settings of a command line, and the errors that they cause.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace gannet::config {

// What the command line puts over a model file, in its order: "key.path=value", list entries by their number in the file
// ("generator.3.channels=64"). The value of a key that holds text is text; others are JSON, or else text. null takes a key away,
// `steps` and `epochs` replace each other.
class Settings {
public:
    struct Entry {
        std::string text, place;  // the place is how messages name it: "--set batch=8", or a flag that stands for it
    };
    Settings() = default;
    Settings(std::initializer_list<std::string> texts) : Settings(std::vector<std::string>(texts)) {}
    Settings(const std::vector<std::string>& texts) {
        for (const std::string& text : texts) add(text, "--set " + printable(text));
    }
    void add(const std::string& text, const std::string& place) { entries_.push_back({text, place}); }
    const std::vector<Entry>& entries() const { return entries_; }
    // `e`, naming those settings as well which decide whether a net, its data and a step fit; as it is where it names one.
    Error blamed(const Error& e) const;

private:
    std::vector<Entry> entries_;
};

// f(), and where that fails for what several keys together come to, the error names the settings as well: the line of the file
// that it names may be innocent.
template <class F>
auto blaming(const Settings& settings, const F& f) {
    try {
        return f();
    } catch (const Error& e) {
        throw settings.blamed(e);
    }
}

}  // namespace gannet::config
