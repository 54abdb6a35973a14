// IDX, the format of MNIST: magic (0, 0, type, number of axes), big-endian extents, then the values.
// http://yann.lecun.com/exdb/mnist
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/limits.h"

namespace gannet {

struct Idx {
    std::vector<int64_t> shape;
    std::vector<uint8_t> values;
};

// Reads a file of bytes with `axes` axes (3: images, 1: labels), plain or gzip. Throws Error unless the header is valid and
// exactly the stated number of values follows.
Idx read_idx(const std::string& file, int axes, const FreeMemory& free = free_memory_now);

// The header only.
std::vector<int64_t> read_idx_shape(const std::string& file, int axes);

}  // namespace gannet
