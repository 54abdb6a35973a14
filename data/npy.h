// NPY, what numpy.save writes: magic, version, a header that is a Python dict, then the values.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/limits.h"

namespace gannet {

struct Npy {
    std::vector<int64_t> shape;
    std::vector<uint8_t> values;
};

// Reads a file of unsigned bytes in C order, of format version 1, 2 or 3, plain or gzip. Throws Error for other types and orders,
// with advice what to save instead, and unless exactly the stated number of values follows the header.
Npy read_npy(const std::string& file, const FreeMemory& free = free_memory_now);

}  // namespace gannet
