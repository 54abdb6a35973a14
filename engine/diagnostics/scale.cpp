#include "engine/diagnostics/scale.h"

#include <algorithm>

#include "engine/diagnostics/svg.h"

namespace gannet::plots {
namespace {

constexpr double farthest = 1e150;  // differences and squares of larger values would overflow

double power_of_ten(double value) { return std::floor(std::log10(value) + 1e-9); }

// As decimals are written: 3 tenths are 0.3, but 3 * 0.1 is not.
double times_power(double factor, double exponent) {
    return exponent < 0 ? factor / std::pow(10, -exponent) : factor * std::pow(10, exponent);
}

// The next of 1, 2, 5 times a power of ten.
double round_number(double value, bool up) {
    const double exponent = power_of_ten(value), mantissa = value / std::pow(10, exponent);
    double below = 1;
    for (const double m : {1.0, 2.0, 5.0, 10.0}) {
        if (up && m >= mantissa * (1 - 1e-9)) return times_power(m, exponent);
        if (m <= mantissa * (1 + 1e-9)) below = m;
    }
    return times_power(below, exponent);
}

std::string with_minus(std::string text) { return text[0] == '-' ? "\xE2\x88\x92" + text.substr(1) : text; }

std::string scientific(double value) {
    if (value == 0) return "0";
    const double exponent = power_of_ten(std::abs(value));
    return with_minus(decimal(value / std::pow(10, exponent), 3)) + "e" + decimal(exponent, 0);
}

std::string fixed(double value, double step, const char* unit) {
    return with_minus(decimal(value, int(std::clamp(-power_of_ten(step), 0.0, 12.0)))) + (value != 0 ? unit : "");
}

std::vector<Tick> linear_ticks(const std::vector<double>& values) {
    double largest = 0;
    for (const double value : values) largest = std::max(largest, std::abs(value));
    const double step = values.size() > 1 ? values[1] - values[0] : std::max(largest, 1e-12);
    std::vector<Tick> ticks;
    for (const double value : values) {
        if (largest >= 1e9 || largest < 1e-3) ticks.push_back({value, scientific(value)});
        else if (largest >= 1e6) ticks.push_back({value, fixed(value / 1e6, step / 1e6, "M")});
        else if (largest >= 1e4) ticks.push_back({value, fixed(value / 1e3, step / 1e3, "k")});
        else ticks.push_back({value, fixed(value, step, "")});
    }
    return ticks;
}

// Powers of ten, with twice and five times them where there is room, and not all of them where there is none.
std::vector<Tick> logarithmic_ticks(double low, double high, int most) {
    const auto first = int(std::ceil(std::log10(low) - 1e-9)) - 1, last = int(std::floor(std::log10(high) + 1e-9));
    const bool between = 3 * std::log10(high / low) <= most + 1;
    const int every = std::max(1, (last - first + most - 1) / most);
    std::vector<Tick> ticks;
    for (int exponent = first; exponent <= last; ++exponent)
        for (const double m : {1.0, 2.0, 5.0}) {
            const double value = times_power(m, exponent);
            if ((m > 1 && !between) || exponent % every != 0 || value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
            ticks.push_back({value, value < 1e-3 || value >= 1e4 ? scientific(value) : decimal(value, 4)});
        }
    return ticks;
}

Range widened(Range range) {
    if (range.empty()) range = {0, 1};
    range = {std::clamp(range.low, -farthest, farthest), std::clamp(range.high, -farthest, farthest)};
    const double size = std::max(std::abs(range.low), std::abs(range.high));
    if (range.high - range.low > size * 1e-9) return range;
    const double room = size > 1e-300 ? 0.1 * size : 1;
    return {range.low - room, range.high + room};
}

struct Weighted {
    double value, weight;
};

// The mean of the middle half of the weight. Sorts what it is given.
double interquartile_mean(std::vector<Weighted>& values) {
    std::sort(values.begin(), values.end(), [](const Weighted& a, const Weighted& b) { return a.value < b.value; });
    double all = 0, before = 0, above = 0;  // above: than a value near it, so that the mean of equal values is exactly theirs
    for (const Weighted& v : values) all += v.weight;
    const double base = values[values.size() / 2].value;
    for (const Weighted& v : values) {
        const double low = std::max(before, all / 4), high = std::min(before + v.weight, 3 * all / 4);
        if (high > low) above += (v.value - base) * ((high - low) / (all / 2));
        before += v.weight;
    }
    return base + above;
}

}  // namespace

Series thin(const Series& line, std::size_t most) {
    const std::size_t count = line.y.size();
    if (count <= most) return line;
    const bool gaps = std::any_of(line.y.begin(), line.y.end(), [](double y) { return std::isnan(y); });
    const std::size_t stretches = std::max<std::size_t>(1, (most - std::min<std::size_t>(most, 2)) / (gaps ? 3 : 2));
    std::vector<std::size_t> kept{0, count - 1};
    for (std::size_t s = 0; s < stretches; ++s) {
        const std::size_t begin = s * count / stretches, end = (s + 1) * count / stretches;
        std::size_t lowest = count, highest = count, gap = count;
        for (std::size_t i = begin; i < end; ++i) {
            if (std::isnan(line.y[i])) {
                if (gap == count) gap = i;
                continue;
            }
            if (lowest == count || line.y[i] < line.y[lowest]) lowest = i;
            if (highest == count || line.y[i] > line.y[highest]) highest = i;
        }
        for (const std::size_t i : {lowest, highest, gap})
            if (i < count) kept.push_back(i);
    }
    std::sort(kept.begin(), kept.end());
    kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
    Series out;
    for (const std::size_t i : kept) out.x.push_back(line.x[i]), out.y.push_back(line.y[i]);
    return out;
}

Series smoothed(const Series& line, std::size_t window) {
    Series out = line;
    const std::size_t count = line.y.size(), half = window / 2;
    std::vector<Weighted> near;
    for (std::size_t i = 0; i < count; ++i) {
        if (std::isnan(line.y[i])) continue;
        // The window is symmetric, so that the first values are not drawn towards the later ones.
        const std::size_t reach = std::clamp(std::min(i, count - 1 - i), half / 3, half);
        const std::size_t begin = i > reach ? i - reach : 0, last = std::min(count - 1, i + reach);
        near.clear();
        for (std::size_t j = begin; j <= last; ++j)
            if (!std::isnan(line.y[j])) near.push_back({line.y[j], j == begin || j == last ? 0.5 : 1.0});
        out.y[i] = interquartile_mean(near);
    }
    return out;
}

std::size_t smoothing_window(std::size_t points) {
    return std::min(points / 5, std::max<std::size_t>(21, points / 10)) / 2 * 2 + 1;
}

Range usual_range(std::vector<double> values, std::vector<double> sample) {
    const auto keep_finite = [](std::vector<double>& all) { std::erase_if(all, [](double v) { return !std::isfinite(v); }); };
    keep_finite(values);
    keep_finite(sample);
    if (values.empty()) return {};
    if (sample.empty()) sample = values;
    std::sort(sample.begin(), sample.end());
    const std::size_t tail = (sample.size() - 1) / 20;
    const double q05 = sample[tail], q95 = sample[sample.size() - 1 - tail], width = q95 - q05;
    const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
    Range range{*lowest, *highest};
    if (width > 0 && range.high > q95 + 6 * width) range.high = q95 + width;
    if (width > 0 && range.low < q05 - 6 * width) range.low = q05 - width;
    return range;
}

std::vector<double> round_ticks(double low, double high, int most, bool whole) {
    const double step = round_number(std::max((high - low) / most, whole ? 1.0 : 1e-300), true);
    const double exponent = power_of_ten(step), factor = std::round(step / std::pow(10, exponent));
    std::vector<double> ticks;
    const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
    for (int i = 0; i <= most && first + i <= last; ++i) ticks.push_back(times_power((first + i) * factor, exponent));
    return ticks;
}

double Scale::place(double value) const {
    if (!logarithmic) return (value - low) / (high - low);
    return value > 0 ? std::log10(value / low) / std::log10(high / low) : -1;
}

std::vector<Tick> Scale::ticks(int most) const {
    return logarithmic ? logarithmic_ticks(low, high, most) : linear_ticks(round_ticks(low, high, most, whole));
}

Scale step_scale(double last) { return {0, last > 0 ? last : 1, false, true}; }

Scale linear_scale(Range range, double padding) {
    range = widened(range);
    const double room = padding * (range.high - range.low);
    return {range.low - room, range.high + room};
}

Scale logarithmic_scale(Range range) {
    if (range.empty()) range = {1, 10};
    const double low = round_number(std::clamp(range.low, 1e-150, farthest), false);
    const double high = round_number(std::clamp(range.high, 1e-150, farthest), true);
    return {low < high ? low : low / 2, low < high ? high : high * 2, true};
}

}  // namespace gannet::plots
