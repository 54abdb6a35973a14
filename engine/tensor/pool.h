// Device memory, kept for reuse: freed blocks wait by size and are handed out again, so that a warm training step allocates
// nothing. A pool has a common region and others that keep their blocks for themselves (engine/tensor/workspace.h).
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
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
    std::function<void*(std::size_t bytes)> allocate;  // null if there is none
    std::function<void(void* data)> release;
    std::function<std::size_t()> limit;   // more than this is not even asked for
    std::function<std::string()> excess;  // "10410 of 24105 MiB are free", for the error
    const char* out_of;                   // "out of memory"
    bool watched = false;  // AddressSanitizer finds the use of free blocks, and beyond what was asked; not in what is recorded
};

class Pool {
public:
    explicit Pool(MemorySource source) : source_(std::move(source)) {}
    ~Pool();
    Pool(const Pool&) = delete;

    // 64-byte aligned, never null; throws with what was asked, what there is and what to lower.
    void* allocate(std::size_t bytes, const std::string& device);
    void release(void* data, std::size_t bytes);
    MemoryStats stats() const;

    // Regions. Between enter() and leave(), blocks come from a region and return to it when they are released, now or later. What
    // it lacks it takes from the common one, then from the system. reserve() prepares a recording: the region gets these numbers
    // of free blocks and never returns them to the system. While a graph is recorded, the system is not asked for memory.
    using Counts = std::map<std::size_t, int64_t>;  // of blocks, by rounded size
    int new_region();
    void enter(int region, bool recording);
    void leave();
    void reserve(int region, const Counts& blocks, const std::string& device);
    void keep(const void* block);      // in_use() does not count it any more
    int64_t in_use(int region) const;  // blocks of a region that are handed out
    Counts peak(int region) const;     // the most at once since enter()
    void free_region(int region);      // its blocks become common, those that are in use when they are released

private:
    using Blocks = std::map<std::size_t, std::vector<void*>>;  // by rounded size
    struct Region {
        Blocks free;
        Counts in_use, peak;  // not of the common one
        bool recorded = false;
    };
    struct Owner {
        int region;
        std::size_t size;
        bool kept;
    };
    static void* take(Blocks& blocks, std::size_t size);
    void* from_system(std::size_t size);
    [[noreturn]] void give_up(std::size_t bytes, const std::string& device) const;
    void trim();

    MemorySource source_;
    mutable std::mutex mutex_;
    MemoryStats stats_;
    std::map<int, Region> regions_{{0, {}}};         // 0 is the common one
    std::unordered_map<const void*, Owner> owners_;  // of blocks that are not of the common one
    int region_ = 0, last_region_ = 0;
    bool recording_ = false;
};

}  // namespace gannet
