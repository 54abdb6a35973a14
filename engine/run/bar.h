// A progress bar on stderr, for work whose amount is known: loading, drawing, measuring.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "data/dataset.h"

namespace gannet {

// Rewritten on a terminal; elsewhere a line after two seconds and then every few. What is done at once shows nothing.
class Bar {
public:
    Bar();
    ~Bar();
    Bar(const Bar&) = delete;
    Bar& operator=(const Bar&) = delete;

    void update(const char* what, int64_t done, int64_t all);
    void say(const std::string& line);  // on a line of its own
    LoadReport report();                // to this bar, which must outlive it

private:
    using Clock = std::chrono::steady_clock;
    void clear();

    bool terminal_, open_ = false;
    Clock::time_point next_;
};

}  // namespace gannet
