#include "engine/diagnostics/track.h"

#include <algorithm>

namespace gannet::plots {

Track::Group Track::merged(const Group& a, const Group& b) {
    Group out = a;
    if (a.finite == 0 || b.low.value < a.low.value) out.low = b.low;
    if (a.finite == 0 || b.high.value > a.high.value) out.high = b.high;
    if (!a.has_gap()) out.gap = b.gap;
    out.last_step = b.last_step;
    out.count += b.count;
    out.finite += b.finite;
    // not by sums, which could overflow
    const double share = out.finite > 0 ? double(b.finite) / double(out.finite) : 0;
    out.mean = a.mean * (1 - share) + b.mean * share;
    return out;
}

void Track::add(double step, double value) {
    if (!std::isfinite(value)) value = NAN;
    const Point point{step, value};
    const bool finite = !std::isnan(value);
    const Group one{point, point, point, point, step, finite ? value : 0, 1, finite};
    last_ = point;
    finite_ += finite;
    if (!groups_.empty() && groups_.back().count < stride_) {
        groups_.back() = merged(groups_.back(), one);
        return;
    }
    if (groups_.size() == capacity) {
        for (std::size_t i = 0; i < capacity / 2; ++i) groups_[i] = merged(groups_[2 * i], groups_[2 * i + 1]);
        groups_.resize(capacity / 2);
        stride_ *= 2;
    }
    groups_.push_back(one);
}

Series Track::points() const {
    Series out;
    const auto add = [&](const Point& point) {
        if (!out.x.empty() && out.x.back() == point.step) return;
        out.x.push_back(point.step);
        out.y.push_back(point.value);
    };
    if (!groups_.empty()) add(groups_.front().first);
    for (const Group& group : groups_) {
        std::vector<Point> points;
        if (group.finite > 0) points = {group.low, group.high};
        if (group.has_gap()) points.push_back({group.gap.step, NAN});
        std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.step < b.step; });
        for (const Point& point : points) add(point);
    }
    if (!groups_.empty()) add(last_);
    return out;
}

Series Track::means() const {
    Series out;
    for (const Group& group : groups_) {
        out.x.push_back(group.first.step + (group.last_step - group.first.step) / 2);
        out.y.push_back(group.finite > 0 ? group.mean : NAN);
    }
    return out;
}

std::vector<double> Track::sample() const {
    std::vector<double> out;
    for (const Group& group : groups_) out.push_back(group.first.value);
    return out;
}

}  // namespace gannet::plots
