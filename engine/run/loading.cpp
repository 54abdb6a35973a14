#include "engine/run/loading.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace gannet {
namespace {

class Bar {
public:
    ~Bar() { clear(); }

    void update(const char* what, int64_t done, int64_t all) {
        const Clock::time_point now = Clock::now();
        if (std::chrono::duration<double>(now - last_).count() < (terminal_ ? 0.2 : 5.0)) return;
        last_ = now;
        constexpr int width = 30;
        const double share = double(done) / double(all);
        if (terminal_) {
            const std::string full(std::size_t(share * width), '=');
            std::fprintf(stderr, "\r%s [%-*s] %3.0f %%\033[K", what, width, full.c_str(), 100 * share);
        } else {
            std::fprintf(stderr, "%s: %.0f %%\n", what, 100 * share);
        }
        std::fflush(stderr);
        open_ = terminal_;
    }
    void say(const std::string& line) {
        clear();
        std::fprintf(stderr, "%s\n", line.c_str());
    }

private:
    using Clock = std::chrono::steady_clock;
    void clear() {
        if (open_) std::fputs("\r\033[K", stderr);
        open_ = false;
    }
    bool terminal_ = ::isatty(::fileno(stderr)) == 1, open_ = false;
    Clock::time_point last_ = Clock::now();
};

}  // namespace

Dataset load_and_show(DatasetOptions options) {
    Bar bar;
    options.progress = [&](const char* what, int64_t done, int64_t all) { bar.update(what, done, all); };
    options.say = [&](const std::string& line) { bar.say(line); };
    return load_dataset(options);
}

}  // namespace gannet
