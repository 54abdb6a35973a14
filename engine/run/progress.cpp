#include "engine/run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace gannet {
namespace {

constexpr double seconds_between_lines = 5, seconds_between_rewrites = 0.2;
constexpr double shortest_measured = 0.1;  // what a first step of less says about the rate is noise

double seconds_of(std::chrono::steady_clock::duration d) { return std::chrono::duration<double>(d).count(); }

// A longer line would wrap, and could not be rewritten in place.
std::size_t width_of(std::FILE* out) {
    winsize size{};
    return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? std::size_t(size.ws_col - 1) : 79;
}

}  // namespace

std::string duration_text(double seconds) {
    if (!(seconds >= 0) || seconds > 1e9) return "?";
    const long long s = std::llround(seconds);
    char text[64];
    if (s < 60) std::snprintf(text, sizeof text, "%llds", s);
    else if (s < 3600) std::snprintf(text, sizeof text, "%lldm %02llds", s / 60, s % 60);
    else if (s < 86400) std::snprintf(text, sizeof text, "%lldh %02lldm", s / 3600, s / 60 % 60);
    else std::snprintf(text, sizeof text, "%lldd %02lldh", s / 86400, s / 3600 % 24);
    return text;
}

Progress::Progress(int64_t steps, int64_t first, std::FILE* out)
    : steps_(steps), first_(first), out_(out), terminal_(::isatty(::fileno(out)) == 1), start_(Clock::now()), last_(start_) {}

Progress::~Progress() { finish(); }

bool Progress::due(int64_t step) const {
    if (!shown_ || step >= steps_) return true;
    return seconds_of(Clock::now() - last_) >= (terminal_ ? seconds_between_rewrites : seconds_between_lines);
}

std::string Progress::text(const ProgressState& state, double seconds) const {
    const int64_t done = state.step - first_;
    const bool last = state.step >= steps_;
    const double left = done > 0 ? seconds / double(done) * double(steps_ - state.step) : -1;
    char line[256], rate[64] = "";
    if (rate_ > 0) std::snprintf(rate, sizeof rate, "%.*f img/s  ", rate_ < 100 ? 1 : 0, rate_);
    std::snprintf(line, sizeof line, "step %lld/%lld  %s  %s%s %s", static_cast<long long>(state.step),
                  static_cast<long long>(steps_), state.figures.c_str(), rate, duration_text(last ? seconds : left).c_str(),
                  last ? "in all" : "left");
    return line;
}

void Progress::update(const ProgressState& state) {
    if (!due(state.step)) return;
    const Clock::time_point now = Clock::now();
    // On a terminal the rate is smoothed: single steps are too few to be read as a number.
    const double since = std::max(seconds_of(now - last_), 1e-9), rate = double(state.images - last_images_) / since;
    if (shown_ || since >= shortest_measured) rate_ = rate_ > 0 && terminal_ ? 0.8 * rate_ + 0.2 * rate : rate;
    if (state.step >= steps_) rate_ = double(state.images) / std::max(seconds_of(now - start_), 1e-9);
    last_ = now;
    last_images_ = state.images;
    shown_ = true;
    std::string line = text(state, seconds_of(now - start_));
    if (terminal_) {
        line.resize(std::min(line.size(), width_of(out_)));
        std::fprintf(out_, "\r%s\033[K", line.c_str());
        line_open_ = true;
    } else {
        std::fprintf(out_, "%s\n", line.c_str());
    }
    std::fflush(out_);
}

void Progress::say(const std::string& text) {
    std::fprintf(out_, "%s%s\n", line_open_ ? "\r\033[K" : "", text.c_str());
    std::fflush(out_);
    line_open_ = false;
}

void Progress::finish() {
    if (line_open_) std::fputc('\n', out_);
    std::fflush(out_);
    line_open_ = false;
}

}  // namespace gannet
