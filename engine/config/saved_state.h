// Reads the part of a checkpoint's state that is JSON, not an array.
#pragma once
#include <cstdint>
#include <string>

#include "base/json.h"

namespace gannet::config {

// Each function throws Error, which names the key and the file, if the key is absent or holds another type.
class SavedState {
public:
    // `state` must outlive the object. `file` is named in errors.
    SavedState(const json::Value& state, std::string file) : state_(state), file_(std::move(file)) {}

    bool boolean(const std::string& key) const;
    int64_t integer(const std::string& key) const;  // from 0 to 2^53
    double number(const std::string& key) const;    // null is read as infinity, which JSON does not have
    const std::string& text(const std::string& key) const;
    SavedState object(const std::string& key) const;

private:
    const json::Value& need(const std::string& key) const;
    [[noreturn]] void fail(const std::string& key, const std::string& what) const;

    const json::Value& state_;
    std::string file_;
};

}  // namespace gannet::config
