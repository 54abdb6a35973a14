#pragma once
#include "engine/nn/module.h"
#include "engine/nn/spec.h"

namespace gannet {

// Each family's file defines these; registry.cpp lists them. To add a layer, write its kind and name it here and there.
LayerKind linear_layer();
LayerKind conv2d_layer();
LayerKind conv_transpose2d_layer();
LayerKind batch_norm_layer();
LayerKind layer_norm_layer();
LayerKind dropout_layer();
std::vector<LayerKind> activation_layers();
LayerKind upsample_layer();
LayerKind flatten_layer();
LayerKind reshape_layer();
LayerKind repeat_layer();
LayerKind residual_layer();

const std::vector<LayerKind>& layer_kinds();
const LayerKind* layer_kind(const std::string& name);  // null if there is none

}  // namespace gannet
