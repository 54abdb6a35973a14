// Properties of the machine and of this process for apps/bench.
#pragma once
#include <cstdint>
#include <string>

namespace gannet::bench {

// Seconds since this process was started, to a hundredth.
double process_seconds();
// The peak memory of this process.
int64_t peak_resident_bytes();
std::string processor();  // "AMD EPYC 9B14"; "" if unknown
// Bytes of the data cache of level 1 or 2 (of one core) or 3 (shared); 0 if unknown.
int64_t cache_bytes(int level);

}  // namespace gannet::bench
