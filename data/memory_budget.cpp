#include "data/memory_budget.h"

#include <malloc.h>

namespace gannet {

std::string MemoryBudget::take(int64_t bytes) {
    std::unique_lock lock(mutex_);
    while (!lack_of_memory(double(bytes), left_).empty()) {
        ::malloc_trim(0);
        const int64_t free = free_();
        left_ = free - taken_;  // a part of what is taken may already be missing in `free`
        const std::string lack = lack_of_memory(double(bytes), left_);
        if (lack.empty()) break;
        if (takers_ == 0) return lack;
        given_back_.wait(lock);
    }
    left_ -= bytes;
    taken_ += bytes;
    ++takers_;
    return "";
}

void MemoryBudget::give_back(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    taken_ -= bytes;
    --takers_;
    given_back_.notify_all();
}

}  // namespace gannet
