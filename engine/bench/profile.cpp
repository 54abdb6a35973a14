#include "engine/bench/profile.h"

#include <chrono>
#include <cstring>
#include <vector>

#include "kernels/place.h"

namespace gannet::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Ledger {
    std::map<std::string, Family> families;
    std::vector<const char*> open;
    Clock::time_point since;

    // Adds the time since the last event to the innermost range.
    void settle() {
        const Clock::time_point now = Clock::now();
        // "discriminator.2 conv2d" is a layer; "optimizer", "step", "discriminator update" and "backward" are not.
        const char *range = open.empty() ? "" : open.back(), *space = std::strchr(range, ' ');
        const bool layer = space && std::memchr(range, '.', std::size_t(space - range));
        bool backward = false;
        for (const char* outer : open) backward = backward || std::strcmp(outer, "backward") == 0;
        Family& family = families[layer ? space + 1 : std::strcmp(range, "optimizer") == 0 ? range : "rest"];
        (backward ? family.backward : family.forward) += std::chrono::duration<double>(now - since).count();
        since = now;
    }
};

void begin(void* to, const char* range) {
    auto& ledger = *static_cast<Ledger*>(to);
    ledger.settle();
    ledger.open.push_back(range);
}
void end(void* to) {
    auto& ledger = *static_cast<Ledger*>(to);
    ledger.settle();
    ledger.open.pop_back();
}

}  // namespace

std::map<std::string, Family> profile(const std::function<void()>& work) {
    Ledger mine;
    const ProfilerRanges before = profiler_ranges;
    profiler_ranges = {begin, end, &mine};
    mine.since = Clock::now();
    work();
    profiler_ranges = before;
    mine.settle();
    return mine.families;
}

}  // namespace gannet::bench
