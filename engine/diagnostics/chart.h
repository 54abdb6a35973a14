// Charts: lines over steps, and histograms over steps as heat maps.
#pragma once
#include <string>
#include <vector>

#include "engine/diagnostics/history.h"
#include "engine/diagnostics/scale.h"
#include "engine/diagnostics/svg.h"

namespace gannet::plots {

struct Line {
    std::string name;  // for the legend; "" stays out of it
    Series data;
    Pen pen;
    std::vector<double> sample;  // of usual values, which choose the axis; those of `data` where it is empty
};

// A vertical line.
struct Mark {
    double step;
    std::string label;
};

enum class Legend { above, right, none };

struct Chart {
    std::string title, y_label;
    bool logarithmic = false;
    std::vector<Line> lines;
    std::vector<Mark> marks;
    std::vector<double> shown;  // what the y axis must hold besides the lines
    Legend legend = Legend::above;
};

// Space around a plot for labels.
constexpr double room_left = 64, room_right = 24, room_above = 44, room_below = 46;

// Returns whether points are beyond the axis: they are drawn at its edge, with a triangle.
bool draw_chart(Canvas& canvas, const Box& plot, const Chart& chart, double last_step);

// The same for values in the outermost rows.
bool draw_heat_map(Canvas& canvas, const Box& plot, const HistogramSeries& parameter, double last_step);
// The legend of all heat maps, in one row from (x, y).
void draw_heat_legend(Canvas& canvas, double x, double y);

struct AxisStyle {
    double font = 11;
    int x_ticks = 8, y_ticks = 6;
    bool grid = true;
};
void draw_axes(Canvas& canvas, const Box& plot, const Scale& x, const Scale& y, const AxisStyle& style);

}  // namespace gannet::plots
