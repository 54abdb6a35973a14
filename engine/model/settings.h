// The settings of a command line, and errors caused by them.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace gannet::config {

// The command line's overrides of a model file, in order: "key.path=value", with list entries by their number in the file
// ("generator.3.channels=64"). The value of a text key is text; other values are JSON, or else text. null removes a key; `steps`
// and `epochs` replace each other.
class Settings {
public:
    struct Entry {
        std::string text, place;  // the place is its name in messages: "--set batch=8", or an equivalent flag
    };
    Settings() = default;
    Settings(std::initializer_list<std::string> texts) : Settings(std::vector<std::string>(texts)) {}
    Settings(const std::vector<std::string>& texts) {
        for (const std::string& text : texts) add(text, "--set " + printable(text));
    }
    void add(const std::string& text, const std::string& place) { entries_.push_back({text, place}); }
    const std::vector<Entry>& entries() const { return entries_; }
    // Adds to `e` the settings that decide whether a network, its data and a step fit; unchanged if it already names a setting.
    Error added_to(const Error& e) const;

private:
    std::vector<Entry> entries_;
};

// Calls f(). If it fails because of several keys together, the error also names the settings, because the named line of the file
// may not be the cause.
template <class F>
auto naming_settings(const Settings& settings, const F& f) {
    try {
        return f();
    } catch (const Error& e) {
        throw settings.added_to(e);
    }
}

}  // namespace gannet::config
