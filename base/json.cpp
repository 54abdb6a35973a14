#include "base/json.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace gannet::json {

// ---- Members --------------------------------------------------------------------------------------------------------

struct Members::Index {
    std::map<std::string, std::size_t> numbers;
    std::size_t counted = 0;  // members that are in it
};

void Members::Delete::operator()(Index* index) const { delete index; }

Members::Members(const Members& other) : Vector(other) {}

Members& Members::operator=(const Members& other) {
    Vector::operator=(other);
    index_ = nullptr;
    return *this;
}

std::size_t Members::index_of(const std::string& key) const {
    constexpr std::size_t few = 32;
    if (size() <= few)
        return std::size_t(std::find_if(begin(), end(), [&](const auto& member) { return member.first == key; }) - begin());
    if (!index_) index_.reset(new Index);
    for (; index_->counted < size(); ++index_->counted) index_->numbers.emplace((*this)[index_->counted].first, index_->counted);
    const auto found = index_->numbers.find(key);
    return found == index_->numbers.end() ? size() : found->second;
}

Members::iterator Members::erase(const_iterator member) {
    index_ = nullptr;
    return Vector::erase(member);
}

// ---- Value ----------------------------------------------------------------------------------------------------------

const Value* Value::find(const std::string& key) const {
    const Members* all = members();
    const std::size_t at = all ? all->index_of(key) : 0;
    return all && at < all->size() ? &(*all)[at].second : nullptr;
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

Origin origin_of(const std::string& path, const std::string& place) {
    return {std::make_shared<Holder>(Holder{{}, {}, std::make_unique<Holder::Text>(Holder::Text{path, place})})};
}

std::string Origin::path() const {
    if (!in) return "";
    if (in->text) return in->text->path;
    const std::string outer = in->at.path();
    if (in->keys.empty()) return outer + "[" + std::to_string(index) + "]";
    return outer.empty() ? in->keys[index] : outer + "." + in->keys[index];
}

std::string Origin::place() const {
    const Holder* source = in.get();
    while (source && !source->text) source = source->at.in.get();
    if (!source) return "";
    return source->text->place + (line > 0 ? ":" + std::to_string(line) : "");
}

std::string Value::where() const { return json::where(path(), place()); }

namespace {

// Sets this value as the origin of all values inside it.
void settle_inner(Value& value, bool keep_lines) {
    if (!value.list() && !value.members()) return;
    const auto holder = std::make_shared<Holder>(Holder{value.origin, {}});
    uint32_t index = 0;
    const auto settle = [&](Value& inner) {
        inner.origin = {holder, index++, keep_lines ? inner.origin.line : 0};
        settle_inner(inner, keep_lines);
    };
    if (auto* entries = std::get_if<List>(&value.data))
        for (Value& entry : *entries) settle(entry);
    if (auto* all = std::get_if<Members>(&value.data))
        for (auto& [key, inner] : *all) {
            holder->keys.push_back(key);
            settle(inner);
        }
}

}  // namespace

void Value::move_to(const std::string& path, const std::string& place) {
    origin = origin_of(path, place);
    settle_inner(*this, false);
}

void Value::rename(const std::string& path) {
    const Holder* source = origin.in.get();
    while (source && !source->text) source = source->at.in.get();
    const uint32_t line = origin.line;
    origin = origin_of(path, source ? source->text->place : "");
    origin.line = line;
    settle_inner(*this, true);
}

std::string where(const std::string& path, const std::string& place) {
    return printable(path) + (path.empty() || place.empty() ? "" : ", ") + place;
}

}  // namespace gannet::json
