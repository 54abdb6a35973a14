#include "engine/diagnostics/plots.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/files.h"
#include "engine/diagnostics/chart.h"

namespace gannet {
namespace plots {
namespace {

constexpr double page_width = 960, page_top = 46;

// Okabe and Ito's colours, distinguishable for colour-blind readers.
constexpr const char *blue = "#0072b2", *orange = "#d55e00", *green = "#009e73", *black = "#333333";

const Font note_font{11, "start", "#555555"};
const Pen first{blue, 1.8, 1, ""}, second{orange, 1.8, 1, ""}, alone{green, 1.8, 1, ""}, reference{black, 1.5, 1, "6 4"};

struct Figure {
    std::string title;
    std::vector<Chart> charts;
    std::size_t columns = 1;
    double height = 240;         // of a plot
    double column_at_right = 0;  // for legends
    std::vector<std::string> notes;
};

// The contents of a file, or "".
using Drawing = std::string;

class Page {
public:
    Page(const std::string& title, const std::string& run)
        : title_(run.empty() ? title : title + " \xC2\xB7 " + fit(run, 500, 16)) {
        canvas.text(room_left, 26, title_, {16, "start", "#222222", true});
    }

    Drawing finish(double y, const std::vector<std::string>& notes) {
        for (const std::string& note : notes)
            y = canvas.paragraph(room_left, y + 6, page_width - room_left - room_right, note, note_font);
        return canvas.file(page_width, y + 6, title_);
    }

    Canvas canvas;

private:
    std::string title_;
};

// Of a grid that is filled row by row.
struct Cell {
    double column, row;
};

Cell cell_of(std::size_t i, std::size_t columns) {
    const std::size_t row = i / columns;
    return {double(i % columns), double(row)};
}

Drawing draw(const Figure& figure, const std::string& run, double last_step) {
    if (figure.charts.empty()) return "";
    Page page(figure.title, run);
    const double w = (page_width - figure.column_at_right) / double(figure.columns);
    const bool titles = std::any_of(figure.charts.begin(), figure.charts.end(), [](const Chart& c) { return !c.title.empty(); });
    const double above = titles ? room_above : room_above - 16, h = above + figure.height + room_below;
    bool beyond = false;
    for (std::size_t i = 0; i < figure.charts.size(); ++i) {
        const Cell cell = cell_of(i, figure.columns);
        const Box plot{cell.column * w + room_left, page_top - 4 + cell.row * h + above, w - room_left - room_right,
                       figure.height};
        beyond |= draw_chart(page.canvas, plot, figure.charts[i], last_step);
    }
    std::vector<std::string> notes = figure.notes;
    if (beyond) notes.emplace_back("Triangles at an edge mark values beyond the axis.");
    return page.finish(page_top + (cell_of(figure.charts.size() - 1, figure.columns).row + 1) * h, notes);
}

struct Curve {
    std::string name, colour;  // the name in the log
};

Line line_of(const std::string& name, const Track& track, const Pen& pen) { return {name, track.points(), pen, track.sample()}; }

// The note on thin and thick lines: of every row, or of groups of rows.
std::string smoothing_note(std::size_t window, int64_t stride) {
    const std::string rows = std::to_string(stride), around = std::to_string(window);
    if (stride == 1) return "Thin: every row of the log. Thick: interquartile mean of the " + around + " rows around it.";
    return "Thin: minimum and maximum of every " + rows +
           " rows of the log. Thick: their means, smoothed by the interquartile mean of " + around + " groups.";
}

// Draws each logged value as a thin line and the running interquartile mean as a thick one. The notes under the picture say so.
void add_smoothed(Figure& figure, Chart chart, const History& history, const std::vector<Curve>& curves) {
    std::vector<Line> smooth;
    std::size_t window = 0;
    int64_t stride = 1;
    for (const Curve& curve : curves) {
        const Track* track = history.find(curve.name);
        if (!track) continue;
        window = smoothing_window(track->groups());
        stride = track->stride();
        if (window > 1) chart.lines.push_back(line_of("", *track, {curve.colour, 1, 0.3, ""}));
        smooth.push_back({curve.name, smoothed(track->means(), window), {curve.colour, 1.8, 1, ""}, {}});
    }
    if (smooth.empty()) return;
    chart.lines.insert(chart.lines.end(), smooth.begin(), smooth.end());
    if (window > 1 && figure.notes.empty()) figure.notes.push_back(smoothing_note(window, stride));
    figure.charts.push_back(std::move(chart));
}

void add_events(Figure& figure, const History& history) {
    constexpr std::size_t most = 6;
    const std::vector<Event>& events = history.events;
    for (std::size_t i = 0; i < events.size(); ++i) {
        const std::string number = std::to_string(i + 1);
        for (Chart& chart : figure.charts) chart.marks.push_back({events[i].step, number});
        if (i < most)
            figure.notes.push_back(number + ": " + events[i].kind + " at step " + decimal(events[i].step, 0) +
                                   (events[i].what.empty() ? "" : ": " + events[i].what));
    }
    if (history.event_count > most) figure.notes.push_back("and " + std::to_string(history.event_count - most) + " more events.");
}

Figure losses(const History& history) {
    Figure figure{"Losses"};
    add_smoothed(figure, {"", "loss"}, history, {{"loss_d", blue}, {"loss_g", orange}});
    add_smoothed(figure, {"", "loss"}, history, {{"loss", blue}});
    add_smoothed(figure, {"", "accuracy"}, history, {{"accuracy", blue}});
    if (const Track* test = history.find("test_accuracy")) {
        if (figure.charts.empty() || figure.charts.back().y_label != "accuracy") figure.charts.push_back({"", "accuracy"});
        figure.charts.back().lines.push_back(line_of("test_accuracy", *test, second));
    }
    figure.height = figure.charts.size() == 1 ? 340 : 230;
    add_events(figure, history);
    return figure;
}

Figure gradient_norms(const History& history) {
    Figure figure{"Gradient norms"};
    figure.height = 340;
    Chart chart{"", "norm of the gradient"};
    chart.logarithmic = true;
    add_smoothed(figure, chart, history, {{"grad_norm_d", blue}, {"grad_norm_g", orange}, {"grad_norm", blue}});
    return figure;
}

void add_line(Chart& chart, const History& history, const std::string& path, const std::string& name, const Pen& pen) {
    if (const Track* track = history.find(path)) chart.lines.push_back(line_of(name, *track, pen));
}

struct Observed {
    std::string path, name;  // in the log, and in the legend
    Pen pen;
};

// Adds a chart of these numbers, unless the log has none of them.
bool add_observed(Figure& figure, const History& history, Chart chart, const std::vector<Observed>& numbers) {
    for (const Observed& n : numbers) add_line(chart, history, "observed/" + n.path, n.name, n.pen);
    if (chart.lines.empty()) return false;
    figure.charts.push_back(std::move(chart));
    figure.columns = figure.charts.size();
    return true;
}

Figure pixels(const History& history) {
    Figure figure{"Pixels of samples and data"};
    const std::array<std::array<std::string, 2>, 3> rows{{{"mean", "mean of the pixels"},
                                                          {"std", "standard deviation of the pixels"},
                                                          {"distance", "mean distance between images"}}};
    for (const auto& [key, title] : rows)
        add_observed(figure, history, {title}, {{"data/" + key, "data", reference}, {"samples/" + key, "samples", second}});
    return figure;
}

Figure scores(const History& history) {
    Figure figure{"Scores of the discriminator"};
    add_observed(figure, history, {"mean score"}, {{"score_real", "real", first}, {"score_fake", "fake", second}});
    Chart accuracy{"accuracy"}, estimate{"Wasserstein estimate"};
    accuracy.shown = {0, 1};
    estimate.shown = {0};
    if (!add_observed(figure, history, accuracy, {{"accuracy_real", "real", first}, {"accuracy_fake", "fake", second}}) &&
        add_observed(figure, history, estimate, {{"w_estimate", "score of real minus score of fake", alone}}))
        figure.notes.emplace_back(
            "The critic's estimate of the Wasserstein distance: mean score of real minus mean score of fake images. It is "
            "positive if the critic tells them apart, and falls towards 0 as the samples improve; loss_d is its negative plus "
            "the penalty.");
    if (history.find("observed/penalty_norm"))
        add_observed(figure, history, {"gradient norm in the penalty"},
                     {{"penalty_norm", "norm", alone}, {"penalty_target", "its target", reference}});
    return figure;
}

// From the first layer to the last, dark to light; neighbours differ in their dashes too.
Pen layer_pen(std::size_t layer, std::size_t layers) {
    constexpr std::array<std::array<double, 3>, 5> anchors{
        {{68, 1, 84}, {65, 68, 135}, {42, 120, 142}, {34, 168, 132}, {140, 200, 60}}};
    const double place = layers > 1 ? 4.0 * double(layer) / double(layers - 1) : 0;
    const std::size_t from = std::min<std::size_t>(3, std::size_t(place));
    std::string colour = "rgb(";
    for (std::size_t c = 0; c < 3; ++c)
        colour += decimal(anchors[from][c] + (place - double(from)) * (anchors[from + 1][c] - anchors[from][c]), 0) +
                  (c < 2 ? "," : ")");
    const std::array<const char*, 3> dashes{"", "7 3", "2 2"};
    return {colour, 1.6, 1, dashes[layer % 3]};
}

// NAME of every observed/NETWORK/activations/NAME/std, by networks in the order of the log.
std::vector<std::pair<std::string, std::vector<std::string>>> activation_names(const History& history) {
    std::vector<std::pair<std::string, std::vector<std::string>>> networks;
    const std::string begin = "observed/", middle = "/activations/", end = "/std";
    for (const std::string& path : history.names) {
        const std::size_t at = path.find(middle);
        if (at == std::string::npos || !path.starts_with(begin) || !path.ends_with(end) || !history.find(path)) continue;
        const std::string network = path.substr(begin.size(), at - begin.size());
        if (networks.empty() || networks.back().first != network) networks.push_back({network, {}});
        networks.back().second.push_back(path.substr(at + middle.size(), path.size() - end.size() - at - middle.size()));
    }
    return networks;
}

Figure activations(const History& history) {
    constexpr std::size_t most = 18;
    Figure figure{"Activations of the layers"};
    figure.columns = 2;
    figure.column_at_right = 190;
    for (auto [network, layers] : activation_names(history)) {
        if (layers.size() > most)
            figure.notes.push_back(network + ": the last " + std::to_string(layers.size() - most) +
                                   " of its layers are not shown.");
        layers.resize(std::min(layers.size(), most));
        Chart mean{network + ": mean"}, deviation{network + ": standard deviation"};
        mean.legend = Legend::none;
        deviation.legend = Legend::right;
        deviation.logarithmic = true;
        for (std::size_t i = 0; i < layers.size(); ++i) {
            const std::string path = "observed/" + network + "/activations/" + layers[i];
            const std::string name = layers[i].starts_with(network + ".") ? layers[i].substr(network.size() + 1) : layers[i];
            add_line(mean, history, path + "/mean", "", layer_pen(i, layers.size()));
            add_line(deviation, history, path + "/std", name, layer_pen(i, layers.size()));
        }
        figure.charts.push_back(mean);
        figure.charts.push_back(deviation);
    }
    return figure;
}

// A grid of heat maps: all parameters if they fit, else the first ones.
Drawing histograms(const History& history, const std::string& kind, const std::string& title, const std::string& run) {
    constexpr std::size_t most = 24, columns = 4;
    constexpr double w = (page_width - 16) / columns, h = 152, left = room_left, top = 20, legend_height = 14;
    std::vector<const HistogramSeries*> shown;
    for (const HistogramSeries& parameter : history.histograms)
        if (parameter.kind == kind && std::any_of(parameter.steps.begin(), parameter.steps.end(),
                                                  [](const Histogram& histogram) { return !histogram.counts.empty(); }))
            shown.push_back(&parameter);
    if (shown.empty()) return "";
    const std::size_t all = shown.size();
    if (all > most) std::erase_if(shown, [](const HistogramSeries* p) { return !p->name.ends_with(".weight"); });
    shown.resize(std::min(shown.size(), most));

    Page page(title, run);
    draw_heat_legend(page.canvas, room_left, page_top + 2);
    bool beyond = false;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const Cell cell = cell_of(i, columns);
        const Box plot{cell.column * w + left, page_top + legend_height + cell.row * h + top, w - left - 12, 96};
        beyond |= draw_heat_map(page.canvas, plot, *shown[i], history.last_step);
    }
    std::vector<std::string> notes{"Horizontal axis: step. Vertical axis: value."};
    if (beyond) notes[0] += " Values beyond an axis are counted in its outermost cells.";
    if (shown.size() < all)
        notes.push_back(std::to_string(all - shown.size()) + " of " + std::to_string(all) + " parameters are not shown.");
    return page.finish(page_top + legend_height + (cell_of(shown.size() - 1, columns).row + 1) * h, notes);
}

}  // namespace
}  // namespace plots

void write_plots(const plots::History& history, const std::string& folder) {
    using namespace plots;
    make_folders(folder);
    std::error_code error;  // then the titles do not name the run
    const std::string run = std::filesystem::canonical(folder, error).parent_path().filename().string();
    const auto write = [&](const std::string& name, const Drawing& drawing) {
        if (!drawing.empty()) atomic_write(folder + "/" + name + ".svg", drawing);
    };
    write("losses", draw(losses(history), run, history.last_step));
    write("gradient_norms", draw(gradient_norms(history), run, history.last_step));
    write("pixels", draw(pixels(history), run, history.last_step));
    write("scores", draw(scores(history), run, history.last_step));
    write("weights", histograms(history, "weights", "Weights", run));
    write("gradients", histograms(history, "gradients", "Gradients", run));
    write("activations", draw(activations(history), run, history.last_step));
}

}  // namespace gannet
