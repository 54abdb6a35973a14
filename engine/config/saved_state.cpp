#include "engine/config/saved_state.h"

#include <limits>

#include "base/error.h"

namespace gannet::config {

void SavedState::fail(const std::string& key, const std::string& what) const {
    throw Error("'" + key + "' of the saved state " + what, file_, "use a checkpoint that this program wrote");
}

const json::Value& SavedState::need(const std::string& key) const {
    const json::Value* value = state_.find(key);
    if (!value) fail(key, "is missing");
    return *value;
}

bool SavedState::boolean(const std::string& key) const {
    const json::Value& value = need(key);
    const bool* held = std::get_if<bool>(&value.data);
    if (!held) fail(key, "is " + value.type_name() + ", not true or false");
    return *held;
}

int64_t SavedState::integer(const std::string& key) const {
    const json::Value& value = need(key);
    const int64_t* held = std::get_if<int64_t>(&value.data);
    if (!held || *held < 0 || *held > int64_t(1) << 53) fail(key, "is not a count");
    return *held;
}

double SavedState::number(const std::string& key) const {
    const json::Value& value = need(key);
    if (value.is_null()) return std::numeric_limits<double>::infinity();
    if (const int64_t* whole = std::get_if<int64_t>(&value.data)) return double(*whole);
    const double* held = std::get_if<double>(&value.data);
    if (!held) fail(key, "is " + value.type_name() + ", not a number");
    return *held;
}

const std::string& SavedState::text(const std::string& key) const {
    const json::Value& value = need(key);
    if (!value.text()) fail(key, "is " + value.type_name() + ", not text");
    return *value.text();
}

SavedState SavedState::object(const std::string& key) const {
    const json::Value& value = need(key);
    if (!value.members()) fail(key, "is " + value.type_name() + ", not an object");
    return {value, file_};
}

}  // namespace gannet::config
