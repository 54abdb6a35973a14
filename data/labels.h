// Labels of a set of image files.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"

namespace gannet {

// Where all images are in folders, their classes are these, in the order of the names: sets labels of the first `count` images
// and classes, or why there are none. `names` are sorted folder by folder.
void label(Dataset& set, const std::vector<std::string>& names, int64_t count);

}  // namespace gannet
