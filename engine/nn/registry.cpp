#include "engine/nn/registry.h"

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

}  // namespace gannet
