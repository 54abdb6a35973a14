#pragma once
#include "engine/nn/module.h"
#include "engine/nn/spec.h"

namespace gannet {

// Each file of layers defines one of these; registry.cpp lists them. To add a layer, write its kind in one of them.
std::vector<LayerKind> product_layers();
std::vector<LayerKind> norm_layers();
std::vector<LayerKind> pointwise_layers();
std::vector<LayerKind> shape_layers();

const std::vector<LayerKind>& layer_kinds();  // in the order of the reference page

}  // namespace gannet
