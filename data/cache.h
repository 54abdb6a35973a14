// Decoded images on disk, so that they are decoded once. A file of it that is damaged, cut short, of something else, or that
// another user owns or can write counts as not there. While one is read or written it is locked, and no other program removes
// it.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"

namespace gannet {

// $XDG_CACHE_HOME/gannet, else ~/.cache/gannet; "" where neither variable is set.
std::string cache_folder();
std::string cache_file(uint64_t key);  // in that folder

// How many bytes may be in that folder: $GANNET_CACHE_GB, else 20 GB. Throws Error unless the variable is such a number.
int64_t cache_limit();

// Fills count, extents, pixels and labels of `set`, and the lines that were said when it was made; false if it is not there.
bool read_cache(const std::string& file, uint64_t key, Dataset& set, std::vector<std::string>& lines,
                const FreeMemory& free = free_memory_now);
// As a whole or not at all. Why not is returned: "" when it is written. Removes what a writer left that was stopped, and those
// files that were not used for the longest time, as far as the limit wants it.
std::string write_cache(const std::string& file, uint64_t key, const Dataset& set, const std::vector<std::string>& lines);

struct Cleared {
    int64_t files = 0, bytes = 0, used = 0;  // removed, and how many were in use
};
Cleared clear_cache();  // throws Error where the folder cannot be listed

// Below: for data/cache*.cpp

// Removes what stopped writers left in the folder, and the least recently used files until `more` bytes fit. Returns an error
// number where the folder cannot be listed, else 0.
int make_room(const std::string& folder, int64_t more, int64_t limit);

}  // namespace gannet
