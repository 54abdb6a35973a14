#include "engine/nn/registry.h"

#include "base/error.h"

namespace gannet {

const std::vector<LayerKind>& layer_kinds() {
    static const std::vector<LayerKind> kinds = [] {
        std::vector<LayerKind> all;
        for (const auto& layers : {product_layers, norm_layers, pointwise_layers, shape_layers})
            for (LayerKind& kind : layers()) all.push_back(std::move(kind));
        return all;
    }();
    return kinds;
}

const LayerKind* layer_kind(const std::string& name) {
    for (const LayerKind& kind : layer_kinds())
        if (kind.spec.name == name) return &kind;
    return nullptr;
}

const config::ObjectSpec* layer_spec(const std::string& name) {
    const LayerKind* kind = layer_kind(name);
    return kind ? &kind->spec : nullptr;
}

const Traits& layer_traits(const std::string& name) {
    if (const LayerKind* kind = layer_kind(name)) return kind->traits;
    throw Error("unknown layer '" + name + "'");
}

std::vector<std::string> layer_names() {
    std::vector<std::string> names;
    for (const LayerKind& kind : layer_kinds()) names.push_back(kind.spec.name);
    return names;
}

}  // namespace gannet
