// Lists of layers: reads each entry by its layer's table and expands `repeat`.
#include <cmath>

#include "base/error.h"
#include "engine/model/parts.h"
#include "engine/nn/registry.h"

namespace gannet::config {
namespace {

constexpr int64_t most_layers = 10000;

const LayerKind& kind_of(const Value& entry) {
    const std::string example = "write for instance { \"layer\": \"relu\" }";
    if (!entry.members()) throw Error("a layer is an object, { ... }, but this is " + entry.type_name(), entry.where(), example);
    const Value* type = entry.find("layer");
    if (!type) throw Error("missing key 'layer'", entry.where(), example);
    if (!type->text())
        throw Error("'layer' is " + type->type_name() + ", but must be the name of a layer", type->where(), example);
    if (const LayerKind* kind = find_kind(layer_kinds(), *type->text())) return *kind;
    throw Error("unknown layer '" + printable(*type->text()) + "'", type->where(),
                suggest(*type->text(), names_of(layer_kinds()), "layers are"));
}

// All keys except "layer", which the tables of layers omit.
Object read_layer(const Value& entry, const ObjectSpec& spec, const Variables& variables) {
    Value keys(Members{});
    keys.origin = entry.origin;
    for (const auto& [name, value] : *entry.members())
        if (name != "layer") std::get<Members>(keys.data).emplace_back(name, value);
    return read_object(keys, spec, variables);
}

void widen_sizes(Object& keys, const ObjectSpec& spec, double factor) {
    for (const Key& key : spec.keys) {
        if (!key.width || !keys.has(key.name) || keys.is_image(key.name)) continue;
        const int64_t size = keys.integer(key.name);
        const double wide = double(size) * factor, rounded = std::round(wide);
        if (!(rounded >= 1 && rounded <= 2147483647 && std::abs(wide - rounded) <= 1e-9 * rounded))
            throw Error(
                "'" + key.name + "' " + std::to_string(size) + " widened by " + json::dump(factor) + " is " + json::dump(wide),
                keys.where(key.name), "choose 'widen' and 'times' so that sizes remain positive integers");
        keys.value(key.name).data = int64_t(rounded);
    }
}

// Appends the layers of a list to `out`.
void expand(const Value& list, const Variables& variables, double widen, int64_t& count, std::vector<LayerConfig>& out) {
    for (const Value& entry : *list.list()) {
        LayerConfig layer{.kind = &kind_of(entry), .keys = {}, .lists = {}};
        const ObjectSpec& spec = layer.kind->spec;
        const Object& keys = layer.keys = read_layer(entry, spec, variables);
        if (layer.kind->traits.repeats) {
            for (int64_t round = 0; round < keys.integer("times"); ++round)
                expand(keys.value("layers"), variables, widen * std::pow(keys.number("widen"), double(round)), count, out);
            continue;
        }
        if (++count > most_layers)
            throw Error("the model has more than " + std::to_string(most_layers) + " layers", entry.where(), "repeat less often");
        if (widen != 1) widen_sizes(layer.keys, spec, widen);
        for (const Key& key : spec.keys) {
            if (key.kind != Kind::layers) continue;
            std::vector<LayerConfig>& inner = layer.lists[key.name];
            if (keys.has(key.name)) expand(keys.value(key.name), variables, widen, count, inner);
        }
        out.push_back(std::move(layer));
    }
}

}  // namespace

std::vector<LayerConfig> expand_layers(const Value& list, const Variables& variables, int64_t& count) {
    std::vector<LayerConfig> out;
    expand(list, variables, 1, count, out);
    return out;
}

Value layers_value(const std::vector<LayerConfig>& layers) {
    List list;
    for (const LayerConfig& layer : layers) {
        Members members = {{"layer", layer.kind->spec.name}};
        for (const auto& [name, value] : *layer.keys.all().members()) {
            const auto nested = layer.lists.find(name);
            if (nested != layer.lists.end()) members.emplace_back(name, layers_value(nested->second));
            else if (!value.is_null()) members.emplace_back(name, value);
        }
        list.emplace_back(std::move(members));
    }
    return list;
}

}  // namespace gannet::config
