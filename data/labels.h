// Labels of a set of image files.
#pragma once
#include <string>

#include "data/dataset.h"
#include "data/source.h"

namespace gannet {

// If all images are in folders, these are the classes, in the order of their names. Sets the labels of the first `count` images
// and the classes, or the reason why there are none. An entry that cannot be read and may be a class, also a dead link, is such a
// reason, because it would shift the labels of later classes.
void label(Dataset& set, const ImageSource& source, int64_t count);

// "3 classes: cat, dog, owl"
std::string classes_text(const Dataset& set);
// Whether the classes are only folders like train and test, which suggests that the real classes are in these.
bool classes_are_splits(const Dataset& set);

}  // namespace gannet
