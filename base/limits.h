// What this process may use: the machine's cores and memory, or less where its container (Linux control groups, v1 and v2) or a
// ulimit says so. Every call reads the values again. `root` stands before /proc and /sys, for tests.
#pragma once
#include <cstdint>
#include <string>

namespace gannet {

// Threads that can run at the same time: as many as the cores that this process may use, or as its CPU quota allows, rounded up.
// `cores`: instead of those, for tests.
int usable_threads(const std::string& root = "", int cores = 0);

// Bytes that this process could have at most.
int64_t memory_limit(const std::string& root = "");

// Bytes that this process can still take: what the machine and each of its containers have left. Pages of files that the system
// keeps only for speed count as free.
int64_t free_memory(const std::string& root = "");

}  // namespace gannet
