// Decoded images on disk, so that they are decoded once. A file of it that is damaged, cut short or of something else counts
// as not there.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"

namespace gannet {

// $XDG_CACHE_HOME/gannet, else ~/.cache/gannet; "" where neither variable is set.
std::string cache_folder();
std::string cache_file(uint64_t key);  // in that folder

// Fills count, extents, pixels and labels of `set`, and the lines that were said when it was made; false if it is not there.
bool read_cache(const std::string& file, uint64_t key, Dataset& set, std::vector<std::string>& lines);
// As a whole or not at all. Why not is returned: "" when it is written.
std::string write_cache(const std::string& file, uint64_t key, const Dataset& set, const std::vector<std::string>& lines);

}  // namespace gannet
