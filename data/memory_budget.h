// Memory that several threads share: together they never take more than is free.
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

    // Waits until the bytes fit beside what other threads have taken. If they do not fit although no thread has taken any,
    // returns the text of lack_of_memory(), else "".
    std::string take(int64_t bytes);
    void give_back(int64_t bytes);

private:
    FreeMemory free_;
    std::mutex mutex_;
    std::condition_variable given_back_;
    int64_t taken_ = 0, takers_ = 0;
    // What may be taken without asking the system. Freed blocks may stay with the thread that had them, so that what is given
    // back is not added here: the system is asked again.
    int64_t left_ = 0;
};

// What one thread has taken, given back at the end of a scope.
class MemoryShare {
public:
    explicit MemoryShare(MemoryBudget& budget) : budget_(budget) {}
    ~MemoryShare() {
        if (taken_ > 0) budget_.give_back(taken_);
    }
    MemoryShare(const MemoryShare&) = delete;
    MemoryShare& operator=(const MemoryShare&) = delete;

    // Once: a thread that waits must not hold what another waits for.
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
