// Histograms over time: one column an observation (or the mean of a few), one row a stretch of values.
#include <algorithm>
#include <array>
#include <functional>

#include "engine/diagnostics/chart.h"

namespace gannet::plots {
namespace {

constexpr int rows = 32;
constexpr std::size_t most_columns = 60;

// The shares at which the next colour begins.
constexpr std::array<double, 7> thresholds{0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5};
constexpr std::array<const char*, 7> colours{"#e4edf7", "#c9dcef", "#9ecae1", "#6baed6", "#3f8fc4", "#1c61a5", "#08306b"};

using Column = std::array<double, rows>;  // shares, from the highest values down

struct Grid {
    std::vector<double> edges;  // steps, one more than columns
    std::vector<Column> columns;
};

int row_of(double value, const Scale& y) { return rows - 1 - int(std::clamp(y.place(value) * rows, 0.0, rows - 1.0)); }

// Adds the share of one bin to the rows that it covers; what lies beyond them goes to the outermost.
void spread(Column& column, double low, double high, double share, const Scale& y) {
    const int top = row_of(high, y), bottom = row_of(low, y);
    if (top == bottom) {
        column[std::size_t(top)] += share;
        return;
    }
    const double size = (y.high - y.low) / rows;
    for (int row = top; row <= bottom; ++row) {
        const double row_low = row == bottom ? low : y.high - (row + 1) * size,
                     row_high = row == top ? high : y.high - row * size;
        column[std::size_t(row)] += share * std::max(0.0, row_high - row_low) / (high - low);
    }
}

Column column_of(const Histogram& histogram, double weight, const Scale& y) {
    Column column{};
    double total = 0;
    for (const float count : histogram.counts) total += double(count);
    if (!(total > 0)) return column;
    const double bins = double(histogram.counts.size()), width = (histogram.high - histogram.low) / bins;
    for (std::size_t b = 0; b < histogram.counts.size(); ++b)
        if (histogram.counts[b] > 0)
            spread(column, histogram.low + double(b) * width, histogram.low + double(b + 1) * width,
                   weight * double(histogram.counts[b]) / total, y);
    return column;
}

// A column reaches half way to its neighbours.
Grid grid_of(const std::vector<Histogram>& steps, const Scale& y, double last_step) {
    const std::size_t group = (steps.size() + most_columns - 1) / most_columns;
    Grid grid;
    for (std::size_t begin = 0; begin < steps.size(); begin += group) {
        const std::size_t end = std::min(begin + group, steps.size());
        Column mean{};
        for (std::size_t i = begin; i < end; ++i) {
            const Column one = column_of(steps[i], 1 / double(end - begin), y);
            std::transform(mean.begin(), mean.end(), one.begin(), mean.begin(), std::plus<>());
        }
        const double gap = steps.size() > 1 ? steps[1].step - steps[0].step : last_step;
        grid.edges.push_back(begin > 0 ? (steps[begin - 1].step + steps[begin].step) / 2
                                       : std::max(0.0, steps[0].step - gap / 2));
        grid.columns.push_back(mean);
    }
    grid.edges.push_back(last_step > 0 ? last_step : 1);
    return grid;
}

int level_of(double share) {
    return int(std::upper_bound(thresholds.begin(), thresholds.end(), share * (1 - 1e-9)) - thresholds.begin()) - 1;
}

// Stretches of one colour as horizontal strokes, one path for each colour: a file of them stays small.
void draw_cells(Canvas& canvas, const Box& plot, const Grid& grid, const Scale& x) {
    std::array<std::string, colours.size()> paths;
    std::vector<long> at;
    for (const double edge : grid.edges) at.push_back(std::lround(x.place(edge) * plot.w));
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t c = 0, end; c < grid.columns.size(); c = end) {
            const double share = grid.columns[c][row];
            for (end = c + 1; end < grid.columns.size(); ++end)
                if ((grid.columns[end][row] > 0) != (share > 0) || level_of(grid.columns[end][row]) != level_of(share)) break;
            if (share > 0)
                paths[std::size_t(level_of(share))] +=
                    "M" + std::to_string(at[c]) + " " + std::to_string(row) + "h" + std::to_string(at[end] - at[c]);
        }
    canvas.element("<g transform=\"translate(" + decimal(plot.x) + " " + decimal(plot.y + plot.h / rows / 2) + ") scale(1 " +
                   decimal(plot.h / rows, 4) + ")\" shape-rendering=\"crispEdges\">");
    for (std::size_t level = 0; level < paths.size(); ++level)
        if (!paths[level].empty()) canvas.path(paths[level], {colours[level], 1, 1, ""});
    canvas.element("</g>");
}

}  // namespace

bool draw_heat_map(Canvas& canvas, const Box& plot, const HistogramSeries& parameter, double last_step) {
    std::vector<double> lows, highs;
    for (const Histogram& histogram : parameter.steps)
        if (!histogram.counts.empty()) lows.push_back(histogram.low), highs.push_back(histogram.high);
    const Range range{usual_range(lows).low, usual_range(highs).high};
    const Scale x = step_scale(last_step), y = linear_scale(range, 0);
    draw_cells(canvas, plot, grid_of(parameter.steps, y, last_step), x);
    draw_axes(canvas, plot, x, y, {9, 3, 5, false});
    canvas.text(plot.x, plot.y - 6, fit(parameter.name, plot.w + 20, 10.5), {10.5});
    return *std::min_element(lows.begin(), lows.end()) < range.low || *std::max_element(highs.begin(), highs.end()) > range.high;
}

void draw_heat_legend(Canvas& canvas, double x, double y) {
    canvas.text(x, y, "share of the values in a cell:", {11});
    x += text_width("share of the values in a cell:", 11) + 6;
    for (std::size_t level = 0; level < colours.size(); ++level) {
        const double to = level + 1 < thresholds.size() ? thresholds[level + 1] : 1;
        const std::string label = decimal(100 * thresholds[level]) + "\xE2\x80\x93" + decimal(100 * to) + " %";
        canvas.rectangle({x, y - 9, 16, 11}, colours[level]);
        canvas.text(x + 21, y, label, {11});
        x += 21 + text_width(label, 11) + 14;
    }
}

}  // namespace gannet::plots
