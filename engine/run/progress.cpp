#include "engine/run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/text.h"
#include "engine/run/cli.h"
#include "engine/run/interrupt.h"

namespace gannet {
namespace {

constexpr double seconds_between_lines = 5, seconds_between_rewrites = 0.2;

using Duration = std::chrono::steady_clock::duration;

double seconds_of(Duration d) { return std::chrono::duration<double>(d).count(); }
Duration duration(double seconds) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)); }

// A longer line would wrap and could not be rewritten in place.
std::size_t width_of(std::FILE* out) {
    winsize size{};
    return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? std::size_t(size.ws_col - 1) : 79;
}

}  // namespace

std::string duration_text(double seconds) {
    if (!(seconds >= 0) || seconds > 1e9) return "?";
    const long long s = std::llround(seconds);
    if (s < 60) return formatted("%llds", s);
    if (s < 3600) return formatted("%lldm %02llds", s / 60, s % 60);
    if (s < 86400) return formatted("%lldh %02lldm", s / 3600, s / 60 % 60);
    return formatted("%lldd %02lldh", s / 86400, s / 3600 % 24);
}

ProgressLine::ProgressLine(double wait, std::FILE* out)
    : out_(out),
      terminal_(::isatty(::fileno(out)) == 1),
      next_(Clock::now() + duration(terminal_ ? std::min(wait, seconds_between_rewrites) : wait)) {}

void ProgressLine::show(const std::string& text) {
    next_ = Clock::now() + duration(terminal_ ? seconds_between_rewrites : seconds_between_lines);
    print(terminal_ ? "\r" + text.substr(0, width_of(out_)) + "\033[K" : text + "\n");
    open_ = terminal_;
}

void ProgressLine::say(const std::string& text) {
    clear();
    print(printable(text, std::string::npos) + "\n");
}

void ProgressLine::finish() {
    if (open_) print("\n");
    open_ = false;
}

void ProgressLine::clear() {
    if (open_) print("\r\033[K");
    open_ = false;
}

void ProgressLine::print(const std::string& text) {
    if (!can_write(::fileno(out_))) return;
    std::fputs(text.c_str(), out_);
    std::fflush(out_);
}

void Bar::update(const char* what, int64_t done, int64_t all) {
    if (!line_.due()) return;
    constexpr int width = 30;
    const double share = double(done) / double(all);
    line_.show(line_.terminal() ? formatted("%s [%-*s] %3.0f %%", what, width,
                                            std::string(std::size_t(share * width), '=').c_str(), 100 * share)
                                : formatted("%s: %.0f %%", what, 100 * share));
}

void Bar::say(const std::string& line) {
    line_.clear();
    gannet::say(line);
}

LoadReport Bar::report() {
    return {[this](const char* what, int64_t done, int64_t all) { update(what, done, all); },
            [this](const std::string& line) { say(line); }};
}

std::string Progress::text(const ProgressState& state, Clock::time_point now) const {
    const std::string rate = rate_ > 0 ? formatted("%.*f img/s  ", rate_ < 100 ? 1 : 0, rate_) : "";
    std::string time;
    if (state.step >= steps_) {
        time = "total " + duration_text(seconds_of(now - start_));
    } else if (const int64_t images = state.images - first_images_; shown_ && images > 0) {
        time = duration_text(seconds_of(now - first_) / double(images) * double(state.images_left)) + " left";
    }
    std::string text =
        "step " + std::to_string(state.step) + "/" + std::to_string(steps_) + "  " + state.figures + "  " + rate + time;
    while (text.ends_with(' ')) text.pop_back();
    return text;
}

void Progress::update(const ProgressState& state) {
    if (!due(state.step)) return;
    const Clock::time_point now = Clock::now();
    // On a terminal the rate is smoothed, because it fluctuates from step to step.
    if (shown_) {
        const double rate = double(state.images - last_images_) / std::max(seconds_of(now - last_), 1e-9);
        rate_ = rate_ > 0 && line_.terminal() ? 0.8 * rate_ + 0.2 * rate : rate;
    }
    if (state.step >= steps_) rate_ = double(state.images) / std::max(seconds_of(now - start_), 1e-9);
    line_.show(text(state, now));
    if (!shown_) {
        first_ = now;
        first_images_ = state.images;
    }
    last_ = now;
    last_images_ = state.images;
    shown_ = true;
}

}  // namespace gannet
