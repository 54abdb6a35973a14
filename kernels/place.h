// The part of the model that this thread computes. Errors name it, and a profiler shows it as nested ranges (step > critic update
// > backward > "discriminator.2 conv2d" > kernel).
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace gannet {

// A part of a training step: a layer, or a phase such as "backward".
struct StepPart {
    const char* name;
    const char* group = nullptr;  // `bench` reports the sum over each group: "conv2d", "optimizer"
    bool is_backward = false;     // the backward pass of what is inside
};

// Receives the ranges of all threads: NVTX once a GPU is opened (engine/tensor/cuda.cpp), or the profile of `bench`, during which
// only one thread may compute; otherwise null. `to` is passed to both functions.
struct ProfilerRanges {
    void (*begin)(void* to, const StepPart& part) = nullptr;
    void (*end)(void* to) = nullptr;
    void* to = nullptr;
};
inline ProfilerRanges profiler_ranges;

class Range {
public:
    explicit Range(const StepPart& part) : Range(&part) {}
    explicit Range(const char* name) : Range(StepPart{name}) {}
    explicit Range(const StepPart* part) : open_(part && profiler_ranges.begin) {  // null: no range
        if (open_) profiler_ranges.begin(profiler_ranges.to, *part);
    }
    ~Range() {
        if (open_) profiler_ranges.end(profiler_ranges.to);
    }
    Range(const Range&) = delete;
    Range& operator=(const Range&) = delete;

private:
    bool open_;
};

// Returns a part that is never freed.
inline const StepPart* interned(const std::string& name, const std::string& group) {
    static std::mutex mutex;
    static std::map<std::pair<std::string, std::string>, StepPart> parts;
    const std::lock_guard lock(mutex);
    const auto [at, added] = parts.try_emplace({name, group});
    if (added) at->second = {at->first.first.c_str(), at->first.second.c_str()};
    return &at->second;
}

// The innermost layer, or null outside of a layer.
inline thread_local const StepPart* current_place = nullptr;
inline std::string current_place_name() { return current_place ? current_place->name : ""; }

class Place {
public:
    explicit Place(const StepPart* layer) : before_(current_place), range_(layer) { current_place = layer; }
    ~Place() { current_place = before_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

private:
    const StepPart* before_;
    Range range_;
};

}  // namespace gannet
