// A pool of device memory: freed blocks are kept by size and reused, so that a warm training step allocates nothing. A pool has a
// common region and regions that do not share their blocks (engine/tensor/workspace.h).
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
    int64_t live_bytes = 0;    // in use now
    int64_t peak_bytes = 0;    // peak use
    int64_t held_bytes = 0;    // taken from the system
    int64_t system_calls = 0;  // allocations from the system
};

// The source of a pool's memory.
struct MemorySource {
    std::function<void*(std::size_t bytes)> allocate;  // null if there is none
    std::function<void(void* data)> release;
    std::function<std::size_t()> limit;   // larger allocations are refused
    std::function<std::string()> excess;  // "10410 of 24105 MiB are free", for the error
    const char* out_of;                   // "out of memory"
    bool watched = false;                 // AddressSanitizer finds uses of free blocks and overruns, except in recorded work
};

class Pool {
public:
    explicit Pool(MemorySource source) : source_(std::move(source)) {}
    ~Pool();
    Pool(const Pool&) = delete;

    // 64-byte aligned, never null; throws an Error with the requested and the available size, and what to lower.
    void* allocate(std::size_t bytes, const std::string& device);
    void release(void* data, std::size_t bytes);
    MemoryStats stats() const;

    // Regions. Between enter() and leave(), blocks come from a region and return to it when they are released, now or later. If
    // the region has none, they come from the common region, then from the system. reserve() prepares a recording: the region
    // gets these numbers of free blocks and never returns them to the system. While a graph is recorded, the system is not asked
    // for memory.
    using Counts = std::map<std::size_t, int64_t>;  // of blocks, by rounded size
    int new_region();
    void enter(int region, bool recording);
    void leave();
    void reserve(int region, const Counts& blocks, const std::string& device);
    void keep(const void* block);      // in_use() does not count it any more
    int64_t in_use(int region) const;  // blocks of a region in use
    Counts peak(int region) const;     // the most at once since enter()
    void free_region(int region);      // its blocks become common; blocks in use when they are released

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
