#include "engine/run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "engine/run/interrupt.h"

namespace gannet {
namespace {

constexpr double seconds_between_lines = 5, seconds_between_rewrites = 0.2;

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

Progress::Progress(int64_t steps, std::FILE* out)
    : steps_(steps), out_(out), terminal_(::isatty(::fileno(out)) == 1), start_(Clock::now()) {}

Progress::~Progress() { finish(); }

bool Progress::due(int64_t step) const {
    if (!shown_ || step >= steps_) return true;
    return seconds_of(Clock::now() - last_) >= (terminal_ ? seconds_between_rewrites : seconds_between_lines);
}

std::string Progress::text(const ProgressState& state, Clock::time_point now) const {
    char line[256], rate[64] = "";
    if (rate_ > 0) std::snprintf(rate, sizeof rate, "%.*f img/s  ", rate_ < 100 ? 1 : 0, rate_);
    std::string time;
    if (state.step >= steps_) {
        time = "total " + duration_text(seconds_of(now - start_));
    } else if (const int64_t images = state.images - first_images_; shown_ && images > 0) {
        time = duration_text(seconds_of(now - first_) / double(images) * double(state.images_left)) + " left";
    }
    std::snprintf(line, sizeof line, "step %lld/%lld  %s  %s%s", static_cast<long long>(state.step),
                  static_cast<long long>(steps_), state.figures.c_str(), rate, time.c_str());
    std::string text = line;
    while (text.ends_with(' ')) text.pop_back();
    return text;
}

void Progress::update(const ProgressState& state) {
    if (!due(state.step)) return;
    const Clock::time_point now = Clock::now();
    // On a terminal the rate is smoothed: single steps are too few to be read as a number.
    if (shown_) {
        const double rate = double(state.images - last_images_) / std::max(seconds_of(now - last_), 1e-9);
        rate_ = rate_ > 0 && terminal_ ? 0.8 * rate_ + 0.2 * rate : rate;
    }
    if (state.step >= steps_) rate_ = double(state.images) / std::max(seconds_of(now - start_), 1e-9);
    std::string line = text(state, now);
    if (terminal_) {
        line.resize(std::min(line.size(), width_of(out_)));
        print("\r" + line + "\033[K");
        line_open_ = true;
    } else {
        print(line + "\n");
    }
    if (!shown_) {
        first_ = now;
        first_images_ = state.images;
    }
    last_ = now;
    last_images_ = state.images;
    shown_ = true;
}

void Progress::say(const std::string& text) {
    print((line_open_ ? "\r\033[K" : "") + printable(text, std::string::npos) + "\n");
    line_open_ = false;
}

void Progress::finish() {
    if (line_open_) print("\n");
    line_open_ = false;
}

void Progress::print(const std::string& text) {
    if (!can_write(::fileno(out_))) return;
    std::fputs(text.c_str(), out_);
    std::fflush(out_);
}

}  // namespace gannet
