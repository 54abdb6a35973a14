// "optimizer": keys for both networks, and overrides for one of them.
#include <algorithm>
#include <optional>

#include "base/error.h"
#include "engine/model/parts.h"
#include "engine/model/sections.h"

namespace gannet::config {
namespace {

bool is_network(const std::string& key) { return key == "generator" || key == "discriminator"; }

// The given keys, without those of the networks.
Value own_keys(const Value& given, const std::string& name) {
    if (!given.members())
        throw Error("'" + name + "' is " + given.type_name() + ", but must be an object, { ... }", given.where(),
                    "give the keys that differ, as { \"lr\": 1e-4 }");
    Value own(Members{});
    own.origin = given.origin;
    for (const auto& [key, value] : *given.members())
        if (!is_network(key) && !value.is_null()) own.at(key) = value;
    return own;
}

// "" where none is given.
std::string read_type(const Value& given) {
    const Value* type = given.find("type");
    if (!type) return "";
    return read_object(Members{{"type", *type}}, {"optimizer", "", {*overrides_spec.find("type")}}, {}).text("type");
}

void refuse_keys_of_others(const Value& given, const ObjectSpec& own) {
    for (const auto& [name, value] : *given.members()) {
        if (own.find(name)) continue;
        std::vector<std::string> owners;
        for (const OptimizerKind& kind : optimizer_kinds())
            if (kind.spec.find(name)) owners.push_back("'" + kind.spec.name + "'");
        if (!owners.empty())
            throw Error(
                "key '" + name + "' does not belong to the optimizer '" + own.name + "'", value.where(),
                "it belongs to " + join(owners, " and ") + "; the keys of '" + own.name + "' are " + join(own.names(), " and "));
        throw Error("unknown key '" + printable(name) + "'", value.where(),
                    suggest(name, own.names(), "the keys of '" + own.name + "' are"));
    }
}

Object read_keys(const Value& given, const ObjectSpec& spec) {
    refuse_keys_of_others(given, spec);
    return read_object(given, spec, {});
}

class OptimizerReader {
public:
    explicit OptimizerReader(const Value& given)
        : given_(given), base_(own_keys(given, "optimizer")), base_type_(read_type(base_)) {
        if (base_type_.empty()) return;
        const OptimizerKind& kind = *find_kind(optimizer_kinds(), base_type_);
        if (base_.find("lr")) base_read_ = read_keys(base_, kind.spec);
        else refuse_keys_of_others(base_, kind.spec);
    }

    Optimizers read() {
        Optimizers out;
        out.effective = base_read_ ? base_read_->all() : base_;
        out.generator = network("generator", out.effective);
        out.discriminator = network("discriminator", out.effective);
        return out;
    }

private:
    OptimizerConfig network(const char* name, Value& effective) {
        Value own(Members{});
        const Value* given = given_.find(name);
        if (given && given->is_null()) given = nullptr;
        if (given) {
            own = own_keys(*given, name);
            for (const auto& [key, value] : *given->members())
                if (is_network(key))
                    throw Error("unknown key '" + key + "'", value.where(), "an override cannot contain overrides");
        }
        std::string type = read_type(own);
        const bool new_type = !type.empty() && type != base_type_;
        if (type.empty()) type = base_type_;
        if (type.empty()) throw Error("missing key 'type'", given_.where(), "add it: " + join(names_of(optimizer_kinds())));
        const OptimizerKind& kind = *find_kind(optimizer_kinds(), type);
        refuse_keys_of_others(own, kind.spec);

        Value merged = base_;
        if (new_type && !base_type_.empty()) {  // keys of the other type do not apply
            merged.data = Members{};
            if (const Value* lr = base_.find("lr")) merged.at("lr") = *lr;
        }
        for (const auto& [key, value] : *own.members()) merged.at(key) = value;
        if (given) merged.origin = own.origin;

        const Object keys = read_keys(merged, kind.spec);
        if (given) {
            const bool whole = new_type || !base_read_;
            Members& written = std::get<Members>((effective.at(name) = Members{}).data);
            for (const auto& [key, value] : *keys.all().members())
                if (whole || own.find(key)) written.emplace_back(key, value);
        }
        return {.kind = &kind, .lr = keys.number("lr"), .parameters = kind.parse(keys)};
    }

    const Value& given_;
    Value base_;  // without the overrides
    std::string base_type_;
    std::optional<Object> base_read_;  // where it is complete
};

}  // namespace

Optimizers read_optimizers(const Value& given) { return OptimizerReader(given).read(); }

}  // namespace gannet::config
