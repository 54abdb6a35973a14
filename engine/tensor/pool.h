// Device memory, kept for reuse: freed blocks wait by size and are handed out again, so that a warm training step allocates
// nothing. Two regions at most share a pool: the common one, and one of a captured graph, whose blocks are its own for good.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace gannet {

struct MemoryStats {
    int64_t live_bytes = 0;    // handed out now
    int64_t peak_bytes = 0;    // most ever handed out
    int64_t held_bytes = 0;    // taken from the system
    int64_t system_calls = 0;  // allocations that the pool could not serve
};

// Where a pool's memory comes from.
struct MemorySource {
    void* (*allocate)(std::size_t bytes);  // null if there is none
    void (*release)(void* data);
    std::size_t (*limit)();   // more than this is not even asked for
    std::string (*excess)();  // "10410 of 24105 MiB are free", for the error
    const char* out_of;       // "out of memory"
    bool watched = false;     // AddressSanitizer finds the use of free blocks, and beyond what was asked; not within regions
};

class Pool {
public:
    explicit Pool(const MemorySource& source) : source_(source) {}
    ~Pool();
    Pool(const Pool&) = delete;

    // 64-byte aligned, never null; throws with what was asked, what there is and what to lower.
    void* allocate(std::size_t bytes, const std::string& device);
    void release(void* data, std::size_t bytes);
    MemoryStats stats() const;

    // Between these, blocks come from and go back to a region of their own, which its number names. While a graph is captured
    // nothing it frees may be handed to others: it is written again at every replay.
    int begin_region();
    void end_region();
    void free_region(int region);  // when its graph is gone

private:
    using Blocks = std::map<std::size_t, std::vector<void*>>;  // by rounded size
    void trim(Blocks& blocks);

    MemorySource source_;
    mutable std::mutex mutex_;
    MemoryStats stats_;
    std::map<int, Blocks> free_;              // by region, 0 is the common one
    std::unordered_map<void*, int> regions_;  // of blocks that are not of the common one
    int region_ = 0, last_region_ = 0;
};

}  // namespace gannet
