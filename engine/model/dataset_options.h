// The section `data` of a model file as the readers of data/ take it.
#pragma once
#include "data/dataset.h"
#include "engine/config/spec.h"

namespace gannet {

DatasetOptions dataset_options(const config::Object& data);

}  // namespace gannet
