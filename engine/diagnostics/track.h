// One number of the log over all its rows, in bounded memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/diagnostics/scale.h"

namespace gannet::plots {

// Rows are kept in groups of `stride` neighbours. The stride is 1 until there are `capacity` groups; then pairs of them are
// merged, and it doubles. So the stored values depend only on the logged values, and reading a log again gives the same.
class Track {
public:
    static constexpr std::size_t capacity = 1024;

    void add(double step, double value);  // a value that is not finite is a gap

    bool finite() const { return finite_ > 0; }  // whether any value is
    int64_t stride() const { return stride_; }
    std::size_t groups() const { return groups_.size(); }

    // To draw: the lowest and the highest of each group, its gap if it has one, and both ends. All values while the stride is at
    // most 2.
    Series points() const;
    // The mean of each group's finite values, in its middle.
    Series means() const;
    // The first value of each group, as a sample of the values: for ranges.
    std::vector<double> sample() const;

private:
    struct Point {
        double step = 0, value = 0;
    };
    struct Group {
        Point first, low, high, gap;  // values are NaN if there is none; of a gap only the step is used
        double last_step = 0, mean = 0;
        int64_t count = 0, finite = 0;
        bool has_gap() const { return finite < count; }
    };
    static Group merged(const Group& a, const Group& b);

    std::vector<Group> groups_;
    Point last_;
    int64_t stride_ = 1, finite_ = 0;
};

}  // namespace gannet::plots
