// What the machine and this process are, as apps/bench reports them.
#pragma once
#include <cstdint>
#include <string>

namespace gannet::bench {

// Seconds since this process was started, to a hundredth.
double process_seconds();
// The most memory that this process has had so far.
int64_t peak_resident_bytes();
std::string processor();  // "AMD EPYC 9B14"; "" where the system does not tell
// Bytes of the data cache of level 1 or 2 (of one core) or 3 (shared); 0 where the system does not tell.
int64_t cache_bytes(int level);

}  // namespace gannet::bench
