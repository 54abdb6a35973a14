// A memory budget shared by several threads: together they never allocate more than the free memory.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/limits.h"

namespace gannet {

class MemoryBudget {
public:
    explicit MemoryBudget(FreeMemory free) : free_(std::move(free)) {}

    // Waits until the bytes fit in addition to those of other threads. Returns the text of lack_of_memory() if they do not fit
    // even alone, else "".
    std::string take(int64_t bytes);
    void give_back(int64_t bytes);

private:
    FreeMemory free_;
    std::mutex mutex_;
    std::condition_variable given_back_;
    int64_t taken_ = 0, takers_ = 0;
    // The bytes that may be taken without asking the system again. Released bytes are not added, because freed blocks may stay in
    // the allocator of a thread; the system is asked again.
    int64_t left_ = 0;
};

// The bytes of one thread, released at the end of a scope.
class MemoryShare {
public:
    explicit MemoryShare(MemoryBudget& budget) : budget_(budget) {}
    ~MemoryShare() {
        if (taken_ > 0) budget_.give_back(taken_);
    }
    MemoryShare(const MemoryShare&) = delete;
    MemoryShare& operator=(const MemoryShare&) = delete;

    // Call it once: a waiting thread must not hold bytes that another waits for.
    std::string take(int64_t bytes) {
        std::string lack = budget_.take(bytes);
        if (lack.empty()) taken_ = bytes;
        return lack;
    }

private:
    MemoryBudget& budget_;
    int64_t taken_ = 0;
};

}  // namespace gannet
