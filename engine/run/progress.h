// The progress line on stderr.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace gannet {

struct ProgressState {
    int64_t step = 0;     // steps done
    int64_t images = 0;   // real images seen since the start of this program
    std::string figures;  // what else to show: "loss_d 0.6931  loss_g 0.6931"
};

// On a terminal one line is rewritten a few times a second; elsewhere plain lines come at most every few seconds. The first
// and the last step are always shown.
class Progress {
public:
    // `steps` in all, of which `first` were done before (a resumed run).
    Progress(int64_t steps, int64_t first = 0, std::FILE* out = stderr);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Whether update() would show something now: losses need not be fetched from a device before.
    bool due(int64_t step) const;
    void update(const ProgressState& state);
    // A line of its own above the progress line.
    void say(const std::string& text);
    // Ends the progress line.
    void finish();

    double images_per_second() const { return rate_; }  // as last shown

private:
    using Clock = std::chrono::steady_clock;
    std::string text(const ProgressState& state, double seconds) const;

    int64_t steps_, first_;
    std::FILE* out_;
    bool terminal_, line_open_ = false, shown_ = false;
    Clock::time_point start_, last_;
    int64_t last_images_ = 0;
    double rate_ = 0;
};

// "7s", "12m 05s", "3h 07m", "2d 04h".
std::string duration_text(double seconds);

}  // namespace gannet
