// A cache of decoded images on disk. A cache file counts as absent if it is damaged, truncated, for something else, or if another
// user owns or can write it. A file is locked while it is read or written, and no other program removes it.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"

namespace gannet {

// $XDG_CACHE_HOME/gannet, else ~/.cache/gannet; "" where neither variable is set.
std::string cache_folder();
std::string cache_file(uint64_t key);  // in that folder

// The limit on the folder's size in bytes: $GANNET_CACHE_GB, or else 20 GB. Throws Error if the variable is not a valid number.
int64_t cache_limit();

// Fills count, extents, pixels and labels of `set`, and the messages that were printed when it was made. Returns false if it is
// absent.
bool read_cache(const std::string& file, uint64_t key, Dataset& set, std::vector<std::string>& lines,
                const FreeMemory& free = free_memory_now);
// Writes completely or not at all. Returns the reason of a failure, or "". Removes files of stopped writers, and the least
// recently used files as far as the limit requires.
std::string write_cache(const std::string& file, uint64_t key, const Dataset& set, const std::vector<std::string>& lines);

struct Cleared {
    int64_t files = 0, bytes = 0, used = 0;  // removed, and how many were in use
};
Cleared clear_cache();  // throws Error where the folder cannot be listed or a file cannot be removed

// Below: for data/cache*.cpp

// Removes what stopped writers left in the folder, and the least recently used files until `more` bytes fit. Returns an error
// number where the folder cannot be listed, else 0.
int make_room(const std::string& folder, int64_t more, int64_t limit);

}  // namespace gannet
