#include "engine/diagnostics/chart.h"

#include <algorithm>

namespace gannet::plots {
namespace {

const Pen frame{"#8c8c8c", 1, 1, ""}, grid{"#e8e8e8", 1, 1, ""}, event{"#7a3b8f", 1, 0.9, "4 3"};
constexpr const char* grey = "#666666";

// As they stand on the axis.
std::vector<double> on_axis(std::vector<double> values, bool logarithmic) {
    if (logarithmic)
        for (double& value : values) value = value > 0 ? std::log10(value) : NAN;
    return values;
}

Scale y_scale(const Chart& chart) {
    Range range;
    for (const Line& line : chart.lines)
        range.add(usual_range(on_axis(line.data.y, chart.logarithmic), on_axis(line.sample, chart.logarithmic)));
    if (chart.logarithmic)
        return logarithmic_scale(range.empty() ? range : Range{std::pow(10, range.low), std::pow(10, range.high)});
    for (const double value : chart.shown) range.add(value);
    return linear_scale(range);
}

std::string point(double x, double y) { return decimal(x) + " " + decimal(y); }

struct Plot {
    Canvas& canvas;
    Box box;
    Scale x, y;
    bool beyond = false;

    double at_x(double step) const { return box.x + x.place(step) * box.w; }
    double at_y(double value) const { return box.bottom() - std::clamp(y.place(value), 0.0, 1.0) * box.h; }

    void draw(const Line& line) {
        const Series points = thin(line.data);
        const std::vector<double>& values = points.y;
        const bool dots = values.size() <= 30 && line.pen.dash.empty() && line.pen.opacity == 1;  // few: show where they are
        std::string outline, triangles;
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (std::isnan(values[i])) continue;
            const double px = at_x(points.x[i]), py = at_y(values[i]);
            const bool after = i > 0 && !std::isnan(values[i - 1]), before = i + 1 < values.size() && !std::isnan(values[i + 1]);
            if (after || before) outline += (after ? "L" : "M") + point(px, py);
            if (dots || !(after || before)) canvas.dot(px, py, line.pen);
            if (!y.holds(values[i])) triangles += "M" + point(px, py) + (py < box.y + 1 ? "l-3 5h6z" : "l-3 -5h6z");
        }
        if (!outline.empty()) canvas.path(outline, line.pen);
        if (!triangles.empty()) canvas.shape(triangles, line.pen.colour);
        beyond |= !triangles.empty();
    }

    void draw(const std::vector<Mark>& marks) {
        for (const Mark& mark : marks) canvas.line(at_x(mark.step), box.y, at_x(mark.step), box.bottom(), event);
        for (std::size_t i = 0, end; i < marks.size(); i = end) {
            for (end = i + 1; end < marks.size() && at_x(marks[end].step) - at_x(marks[end - 1].step) < 32;) ++end;
            const std::string label = end - i > 1 ? marks[i].label + "\xE2\x80\x93" + marks[end - 1].label : marks[i].label;
            canvas.text((at_x(marks[i].step) + at_x(marks[end - 1].step)) / 2, box.y - 4, label,
                        {11, "middle", event.colour, true});
        }
    }
};

void legend_entry(Canvas& canvas, double x, double y, const Line& line, double width) {
    Pen pen = line.pen;
    pen.opacity = 1;
    canvas.line(x, y - 4, x + 22, y - 4, pen);
    canvas.text(x + 28, y, fit(line.name, width - 28, 11), {11});
}

void legend(Canvas& canvas, const Box& plot, const Chart& chart) {
    const bool at_right = chart.legend == Legend::right;
    double x = plot.x, y = at_right ? plot.y + 10 : plot.y - 17;
    for (const Line& line : chart.lines) {
        if (line.name.empty()) continue;
        if (at_right) {
            legend_entry(canvas, plot.right() + 14, y, line, 200);
            y += 15;
        } else {
            legend_entry(canvas, x, y, line, plot.right() - x);
            x += 28 + text_width(line.name, 11) + 18;
        }
    }
}

}  // namespace

void draw_axes(Canvas& canvas, const Box& plot, const Scale& x, const Scale& y, const AxisStyle& style) {
    for (const Tick& tick : y.ticks(style.y_ticks)) {
        const double at = plot.bottom() - y.place(tick.value) * plot.h;
        if (style.grid) canvas.line(plot.x, at, plot.right(), at, grid);
        else canvas.line(plot.x - 3, at, plot.x, at, frame);
        canvas.text(plot.x - 6, at + 0.35 * style.font, tick.label, {style.font, "end", grey});
    }
    for (const Tick& tick : x.ticks(style.x_ticks)) {
        const double at = plot.x + x.place(tick.value) * plot.w;
        canvas.line(at, plot.bottom(), at, plot.bottom() + 4, frame);
        canvas.text(at, plot.bottom() + 5 + style.font, tick.label, {style.font, "middle", grey});
    }
    canvas.line(plot.x, plot.bottom(), plot.right(), plot.bottom(), frame);
    canvas.line(plot.x, plot.y, plot.x, plot.bottom(), frame);
}

bool draw_chart(Canvas& canvas, const Box& plot, const Chart& chart, double last_step) {
    Plot all{canvas, plot, step_scale(last_step), y_scale(chart)};
    draw_axes(canvas, plot, all.x, all.y, {11, std::max(2, int(plot.w / 90)), std::max(3, int(plot.h / 38))});
    canvas.text(plot.x + plot.w / 2, plot.bottom() + 33, "step", {11, "middle", grey});
    if (!chart.y_label.empty())
        canvas.text(plot.x - room_left + 14, plot.y + plot.h / 2, chart.y_label, {11, "middle", grey, false, true});
    if (!chart.title.empty())
        canvas.text(plot.x, plot.y - (chart.legend == Legend::above ? 33 : 12), fit(chart.title, plot.w, 12),
                    {12, "start", "#333333", true});
    if (chart.legend != Legend::none) legend(canvas, plot, chart);
    for (const Line& line : chart.lines) all.draw(line);
    all.draw(chart.marks);
    return all.beyond;
}

}  // namespace gannet::plots
