// The line on stderr that shows how far the program is.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "data/dataset.h"

namespace gannet {

// On a terminal one line is rewritten a few times a second; elsewhere plain lines come at most every few seconds. What the
// terminal or pipe does not take at once is dropped: nobody waits for a reader.
class ProgressLine {
public:
    // The first text is shown after `wait` seconds where stderr is not a terminal: what is done before shows nothing.
    explicit ProgressLine(double wait = 0, std::FILE* out = stderr);
    ~ProgressLine() { finish(); }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    bool due() const { return Clock::now() >= next_; }  // whether it is time for another text
    void show(const std::string& text);
    void say(const std::string& text);  // on a line of its own, above
    void finish();                      // ends the line, which stays
    void clear();                       // removes it
    bool terminal() const { return terminal_; }

private:
    using Clock = std::chrono::steady_clock;
    void print(const std::string& text);

    std::FILE* out_;
    bool terminal_, open_ = false;
    Clock::time_point next_;
};

// Work whose amount is known: loading, drawing, measuring. What is done within two seconds shows nothing.
class Bar {
public:
    ~Bar() { line_.clear(); }
    void update(const char* what, int64_t done, int64_t all);
    void say(const std::string& line);
    LoadReport report();  // to this bar, which must outlive it

private:
    ProgressLine line_{2};
};

struct ProgressState {
    int64_t step = 0;         // steps done
    int64_t images = 0;       // real images seen since the start of this program
    int64_t images_left = 0;  // of all remaining steps, which may use more or fewer images than those before
    std::string figures;      // additional text: "loss_d 0.6931 loss_g 0.6931"
};

// A training. The first and the last step are always shown. The first line has no rate, as much of its time is start-up.
class Progress {
public:
    explicit Progress(int64_t steps, std::FILE* out = stderr) : line_(0, out), steps_(steps), start_(Clock::now()) {}

    // Whether update() would show something now; if not, losses need not be fetched from the device.
    bool due(int64_t step) const { return !shown_ || step >= steps_ || line_.due(); }
    void update(const ProgressState& state);
    void say(const std::string& text) { line_.say(text); }
    void finish() { line_.finish(); }

private:
    using Clock = std::chrono::steady_clock;
    std::string text(const ProgressState& state, Clock::time_point now) const;

    ProgressLine line_;
    int64_t steps_;
    bool shown_ = false;
    Clock::time_point start_, first_, last_;  // first_, last_: of the first and the last line
    int64_t first_images_ = 0, last_images_ = 0;
    double rate_ = 0;
};

// "7s", "12m 05s", "3h 07m", "2d 04h".
std::string duration_text(double seconds);

}  // namespace gannet
