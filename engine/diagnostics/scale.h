// Maps numbers to an axis: ranges, round ticks, thinned and smoothed lines.
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace gannet::plots {

// y over x; NaN in y is a gap.
struct Series {
    std::vector<double> x, y;
};

// At most `most` points, with the smallest and the largest of every stretch, its gap if it has one, and both ends.
Series thin(const Series& line, std::size_t most = 1000);
// The interquartile mean of `window` points around each, of fewer near the ends: the mean of the middle half of their values,
// which spikes do not move. The outermost two count half, so that values that alternate give no sawtooth. Gaps remain and do not
// count.
Series smoothed(const Series& line, std::size_t window);
// A fifth of few points, a tenth of many; odd.
std::size_t smoothing_window(std::size_t points);

struct Range {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    bool empty() const { return !(low <= high); }
    void add(double value) { low = std::fmin(low, value), high = std::fmax(high, value); }  // NaN adds nothing
    void add(const Range& other) { low = std::fmin(low, other.low), high = std::fmax(high, other.high); }
};

// The range of the finite values, without outliers that would compress all others into one line. A sample of usual values, if
// given, decides what an outlier is.
Range usual_range(std::vector<double> values, std::vector<double> sample = {});

struct Tick {
    double value;
    std::string label;
};

// Multiples of 1, 2 or 5 times a power of ten from low to high, at most `most` + 1. `whole`: integers only.
std::vector<double> round_ticks(double low, double high, int most, bool whole = false);

struct Scale {
    double low = 0, high = 1;
    bool logarithmic = false, whole = false;

    double place(double value) const;  // 0 at low, 1 at high
    bool holds(double value) const { return std::abs(place(value) - 0.5) < 0.5 + 1e-6; }
    std::vector<Tick> ticks(int most) const;
};

Scale step_scale(double last);
Scale linear_scale(Range range, double padding = 0.06);
Scale logarithmic_scale(Range range);  // of positive numbers

}  // namespace gannet::plots
