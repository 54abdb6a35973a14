// The part of the model that this thread computes. Errors name it, and a profiler shows it as nested ranges (step > critic update
// > backward > "discriminator.2 conv2d" > kernel).
#pragma once
#include <mutex>
#include <string>
#include <unordered_set>

namespace gannet {

// Receives the ranges of all threads: NVTX once a GPU is opened (engine/tensor/cuda.cpp), or the profile of `bench`, during which
// only one thread may compute; otherwise null. `to` is passed to both functions.
struct ProfilerRanges {
    void (*begin)(void* to, const char* name) = nullptr;
    void (*end)(void* to) = nullptr;
    void* to = nullptr;
};
inline ProfilerRanges profiler_ranges;

class Range {
public:
    explicit Range(const char* name) : open_(name && profiler_ranges.begin) {
        if (open_) profiler_ranges.begin(profiler_ranges.to, name);
    }
    ~Range() {
        if (open_) profiler_ranges.end(profiler_ranges.to);
    }
    Range(const Range&) = delete;
    Range& operator=(const Range&) = delete;

private:
    bool open_;
};

// Returns a copy of the name that is never freed.
inline const char* interned(const std::string& name) {
    static std::mutex mutex;
    static std::unordered_set<std::string> names;
    const std::lock_guard lock(mutex);
    return names.insert(name).first->c_str();
}

// The innermost layer, or null outside of a layer.
inline thread_local const char* current_place = nullptr;

class Place {
public:
    explicit Place(const char* name) : before_(current_place), range_(name) { current_place = name; }
    ~Place() { current_place = before_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

private:
    const char* before_;
    Range range_;
};

}  // namespace gannet
