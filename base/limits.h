// What this process may use: the machine's cores and memory, or less where its container (Linux control groups, v1 and v2) or a
// ulimit says so. Every call reads the values again. `root` stands before /proc and /sys, for tests.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"

namespace gannet {

// Threads that can run at the same time: as many as the cores that this process may use, or as its CPU quota allows, rounded up.
// `cores`: instead of those, for tests.
int usable_threads(const std::string& root = "", int cores = 0);

// Bytes that this process could have at most.
int64_t memory_limit(const std::string& root = "");

// Bytes that this process can still take: what the machine and each of its containers have left. Pages of files that the system
// keeps only for speed count as free.
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
