// Labels of a set of image files.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"

namespace gannet {

// If all images are in folders, these are the classes, in the order of their names. Sets the labels of the first `count` images
// and the classes, or the reason why there are none. `names` are sorted folder by folder.
void label(Dataset& set, const std::vector<std::string>& names, int64_t count);

}  // namespace gannet
