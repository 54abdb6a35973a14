// The keys of every kind of layer, without the code that builds it.
#pragma once
#include <string>
#include <vector>

#include "engine/config/spec.h"

namespace gannet {

// The spec of a layer by its name; null if there is none.
const config::ObjectSpec* layer_spec(const std::string& name);
std::vector<std::string> layer_names();  // in the order of the reference page

}  // namespace gannet
