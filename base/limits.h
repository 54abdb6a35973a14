// The resources that this process may use: the machine's cores and memory, or less if its container (Linux control groups, v1 and
// v2) or a ulimit limits them. Every call reads the values again. `root` is a prefix of /proc and /sys, for tests.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"

namespace gannet {

// The number of threads that can run at the same time: the cores that this process may use, or its CPU quota, rounded up.
// `cores` replaces the number of cores, for tests.
int usable_threads(const std::string& root = "", int cores = 0);

// The most bytes that this process could have.
int64_t memory_limit(const std::string& root = "");

// The bytes that this process can still allocate, by the free memory of the machine and of each of its containers. The page cache
// counts as free.
int64_t free_memory(const std::string& root = "");
inline int64_t free_memory_now() { return free_memory(); }

// What readers ask for free bytes: free_memory_now, or what a test says.
using FreeMemory = std::function<int64_t()>;

// "" if these bytes can be taken and a little is left for what nobody counts. Otherwise the reason:
// "900 MB, more than the 400 MB of memory that are free".
std::string lack_of_memory(double bytes, int64_t free);
struct LackOfMemory : Error {
    using Error::Error;
};
// Throws LackOfMemory where memory does not hold the content of a file, which has `bytes`.
void check_free(int64_t bytes, const std::string& file, const FreeMemory& free);

}  // namespace gannet
