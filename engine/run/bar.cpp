#include "engine/run/bar.h"

#include <unistd.h>

#include <cstdio>

#include "engine/run/cli.h"

namespace gannet {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds first_line{2000}, between_lines{5000}, between_rewrites{200};

}  // namespace

Bar::Bar() : terminal_(::isatty(::fileno(stderr)) == 1), next_(Clock::now() + (terminal_ ? between_rewrites : first_line)) {}

Bar::~Bar() { clear(); }

void Bar::update(const char* what, int64_t done, int64_t all) {
    const Clock::time_point now = Clock::now();
    if (now < next_) return;
    next_ = now + (terminal_ ? between_rewrites : between_lines);
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

void Bar::say(const std::string& line) {
    clear();
    gannet::say(line);
}

LoadReport Bar::report() {
    return {[this](const char* what, int64_t done, int64_t all) { update(what, done, all); },
            [this](const std::string& line) { say(line); }};
}

void Bar::clear() {
    if (open_) std::fputs("\r\033[K", stderr);
    open_ = false;
}

}  // namespace gannet
