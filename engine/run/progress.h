// The progress line on stderr.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace gannet {

struct ProgressState {
    int64_t step = 0;         // steps done
    int64_t images = 0;       // real images seen since the start of this program
    int64_t images_left = 0;  // of all steps to come: these may see more or fewer than those before
    std::string figures;      // what else to show: "loss_d 0.6931  loss_g 0.6931"
};

// On a terminal one line is rewritten a few times a second; elsewhere plain lines come at most every few seconds. The first
// and the last step are always shown. The first line has no rate, as much of its time is start-up. What the terminal or pipe
// does not take at once is dropped: training waits for no reader.
class Progress {
public:
    explicit Progress(int64_t steps, std::FILE* out = stderr);
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

private:
    using Clock = std::chrono::steady_clock;
    std::string text(const ProgressState& state, Clock::time_point now) const;
    void print(const std::string& text);

    int64_t steps_;
    std::FILE* out_;
    bool terminal_, line_open_ = false, shown_ = false;
    Clock::time_point start_, first_, last_;  // first_, last_: of the first and the last line
    int64_t first_images_ = 0, last_images_ = 0;
    double rate_ = 0;
};

// "7s", "12m 05s", "3h 07m", "2d 04h".
std::string duration_text(double seconds);

}  // namespace gannet
