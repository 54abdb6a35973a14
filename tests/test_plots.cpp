// The plots of a run: scales, lines, XML, and the files that are written for a log.
#include <doctest/doctest.h>

#include <algorithm>
#include <clocale>
#include <cmath>
#include <vector>

#include "base/files.h"
#include "engine/diagnostics/chart.h"
#include "engine/diagnostics/history.h"
#include "engine/diagnostics/plots.h"
#include "engine/diagnostics/scale.h"
#include "engine/diagnostics/svg.h"
#include "tests/plots_of_logs.h"

using namespace gannet;
using namespace gannet::plots;

namespace {

std::vector<std::string> labels(const Scale& scale, int most) {
    std::vector<std::string> all;
    for (const Tick& tick : scale.ticks(most)) all.push_back(tick.label);
    return all;
}

// Why the text is not well-formed XML (unpaired tags, bare < and &, unclosed quotes), or "". Checks only what plots use.
std::string malformed(const std::string& xml) {
    std::vector<std::string> open;
    int roots = 0;
    for (std::size_t i = 0; i < xml.size();) {
        if (xml[i] == '&') {
            const std::size_t end = xml.find(';', i);
            if (end == std::string::npos || end - i > 6) return "a bare & at " + std::to_string(i);
        }
        if (xml[i] != '<') {
            if (open.empty() && !std::isspace(static_cast<unsigned char>(xml[i]))) return "text outside the root";
            ++i;
            continue;
        }
        std::size_t end = i + 1;
        for (bool quoted = false; end < xml.size() && (quoted || xml[end] != '>'); ++end) {
            if (xml[end] == '"') quoted = !quoted;
            if (xml[end] == '<') return "a < inside a tag at " + std::to_string(end);
        }
        if (end == xml.size()) return "a tag that does not end";
        const std::string tag = xml.substr(i + 1, end - i - 1), name = tag.substr(0, tag.find_first_of(" /", 1));
        if (tag[0] == '/') {
            if (open.empty() || open.back() != tag.substr(1)) return "an end of " + tag + " without a start";
            open.pop_back();
        } else if (tag[0] != '?') {
            roots += open.empty();
            if (tag.back() != '/') open.push_back(name);
        }
        i = end + 1;
    }
    return !open.empty() ? open.back() + " is not closed" : roots != 1 ? "not one root" : "";
}

}  // namespace

TEST_CASE("plots: round ticks and their labels") {
    CHECK(round_ticks(0, 1, 5) == std::vector<double>{0, 0.2, 0.4, 0.6, 0.8, 1});
    CHECK(round_ticks(0, 0.3, 3) == std::vector<double>{0, 0.1, 0.2, 0.3});  // not 0.30000000000000004
    CHECK(round_ticks(-7, 13, 5) == std::vector<double>{-5, 0, 5, 10});
    CHECK(round_ticks(3, 96, 5) == std::vector<double>{20, 40, 60, 80});
    CHECK(round_ticks(0, 2, 8, true) == std::vector<double>{0, 1, 2});
    CHECK(round_ticks(2e-5, 7e-5, 5) == std::vector<double>{2e-5, 3e-5, 4e-5, 5e-5, 6e-5, 7e-5});

    CHECK(labels({0, 20000}, 4) == Names{"0", "5k", "10k", "15k", "20k"});
    CHECK(labels({0, 1e6}, 4) == Names{"0", "0.5M", "1M"});
    CHECK(labels({-0.5, 0.5}, 5) == Names{"\xE2\x88\x92"
                                          "0.4",
                                          "\xE2\x88\x92"
                                          "0.2",
                                          "0", "0.2", "0.4"});
    CHECK(labels({0, 3e-5}, 3) == Names{"0", "1e-5", "2e-5", "3e-5"});
    CHECK(labels({0.05, 50, true}, 3) == Names{"0.1", "1", "10"});
    CHECK(labels({0.05, 2, true}, 6) == Names{"0.05", "0.1", "0.2", "0.5", "1", "2"});
    CHECK(labels({1e-12, 1e6, true}, 3).size() <= 4);
    for (const double size : {1e-300, 1e-7, 1.0, 1e9, 1e300})  // few ticks, but at least some, for every size
        for (const Range& range : {Range{-size, size}, Range{size, size}, Range{0, size}}) {
            CAPTURE(size);
            const std::size_t count = linear_scale(range).ticks(6).size();
            CHECK(count >= 2);
            CHECK(count <= 7);
        }
    CHECK(linear_scale({}).holds(0.5));
    CHECK(logarithmic_scale({0.03, 700}).low == 0.02);
    CHECK(logarithmic_scale({0.03, 700}).high == 1000);
    CHECK_FALSE(logarithmic_scale({0.03, 700}).holds(0));
}

TEST_CASE("plots: numbers and text in XML") {
    CHECK(decimal(1.25) == "1.2");
    CHECK(decimal(-0.04) == "0");
    CHECK(decimal(100, 3) == "100");
    CHECK(decimal(NAN) == "0");
    const std::string before = std::setlocale(LC_ALL, nullptr);
    for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"})  // the decimal comma of an installed locale must not appear
        if (std::setlocale(LC_ALL, name)) CHECK(decimal(1.5) == "1.5");
    std::setlocale(LC_ALL, before.c_str());

    CHECK(escape("<a b=\"c\" & 'd'>") == "&lt;a b=&quot;c&quot; &amp; &#39;d&#39;&gt;");
    CHECK(escape("one\ntwo\x01 \xEF\xBF\xBF") == "one two\xEF\xBF\xBD \xEF\xBF\xBD");
    CHECK(escape("\xFFun\xE9 \xC3") == "\xEF\xBF\xBDun\xEF\xBF\xBD \xEF\xBF\xBD");  // not UTF-8
    CHECK(escape("\xC3\xA9t\xC3\xA9") == "\xC3\xA9t\xC3\xA9");

    CHECK(fit("short", 100, 10) == "short");
    const std::string cut = fit("generator.12.main.3.weight", 90, 10);
    CHECK(cut.ends_with("3.weight"));
    CHECK(text_width(cut, 10) <= 90);
    CHECK(wrap("one two three", 50, 10) == Names{"one two", "three"});
    CHECK(wrap("", 50, 10).empty());
}

TEST_CASE("plots: thinned lines keep minima and maxima") {
    Series line;
    for (int i = 0; i < 20000; ++i) line.x.push_back(i), line.y.push_back(std::sin(0.01 * i));
    line.y[777] = 50, line.y[15001] = -60;
    CHECK(thin(line, 20000).y == line.y);
    Series thinned = thin(line, 1000);
    CHECK(thinned.y.size() <= 1000);
    CHECK(thinned.y.size() >= 800);
    CHECK(std::is_sorted(thinned.x.begin(), thinned.x.end()));
    CHECK(*std::max_element(thinned.y.begin(), thinned.y.end()) == 50);
    CHECK(*std::min_element(thinned.y.begin(), thinned.y.end()) == -60);
    CHECK(thinned.x.front() == 0);
    CHECK(thinned.x.back() == 19999);

    line.y[9000] = NAN;  // one value that is not finite
    thinned = thin(line, 1000);
    CHECK(thinned.y.size() <= 1000);
    CHECK(std::count_if(thinned.y.begin(), thinned.y.end(), [](double y) { return std::isnan(y); }) == 1);
}

TEST_CASE("plots: a spike does not change smoothed lines and ranges") {
    Series line;
    for (int i = 0; i < 100; ++i) line.x.push_back(i), line.y.push_back(i == 40 ? 1e6 : i);
    line.y[70] = NAN;
    const Series smooth = smoothed(line, 11);
    CHECK(smooth.y[20] == 20);
    CHECK(smooth.y[40] < 50);
    CHECK(std::isnan(smooth.y[70]));
    CHECK(std::abs(smooth.y[71] - 71) <= 1);
    CHECK(smooth.y[0] < 3);  // the window is symmetric at the ends, too
    CHECK(smoothing_window(1000) == 101);
    CHECK(smoothing_window(100) == 21);
    CHECK(smoothing_window(3) == 1);
    CHECK(usual_range(line.y).high < 1000);
    CHECK(usual_range(line.y).low == 0);
    CHECK(usual_range({NAN, 3, 5, INFINITY}).high == 5);
    CHECK(usual_range({NAN}).empty());
    CHECK(smoothed({{1, 2, 3, 4}, {1, 2, 3, 9}}, 7).y == std::vector<double>{1.5, 2, 3, 6});
    Range range{2, 3};
    range.add(Range{});  // the range of a line of gaps, or of zeros on a logarithmic axis
    CHECK(range.low == 2);
    CHECK(range.high == 3);
}

TEST_CASE("plots: gaps and values outside the axis") {
    const auto drawn = [](const std::vector<double>& y) {
        Chart chart;
        chart.lines.push_back({"", {{}, y}, {"#123456", 1, 1, "1 1"}});
        for (std::size_t i = 0; i < y.size(); ++i) chart.lines[0].data.x.push_back(double(i));
        Canvas canvas;
        const bool beyond = draw_chart(canvas, {0, 0, 100, 100}, chart, double(y.size()));
        return std::pair(canvas.file(100, 100, ""), beyond);
    };
    const auto outline = [](const std::string& svg) {
        const std::size_t path = svg.find("<path fill=\"none\"");
        return path == std::string::npos ? "" : svg.substr(path, svg.find("/>", path) - path);
    };
    CHECK(count_of(outline(drawn({1, 2, 3, 4, 5}).first), "M") == 1);
    CHECK(count_of(outline(drawn({1, 2, NAN, 4, 5}).first), "M") == 2);
    CHECK(count_of(outline(drawn({1, 2, NAN, 4, 5}).first), "L") == 2);
    CHECK(count_of(drawn({1, 2, NAN, 4, NAN}).first, "<circle") == 1);  // a point between two gaps
    CHECK(drawn({NAN, NAN}).first.find("<path") == std::string::npos);
    CHECK_FALSE(has(drawn({1, NAN, 2}).first, "nan"));

    std::vector<double> spiky(200, 0);
    for (std::size_t i = 0; i < spiky.size(); ++i) spiky[i] = double(i % 5);
    CHECK_FALSE(drawn(spiky).second);
    spiky[100] = 1e9;
    CHECK(drawn(spiky).second);
    CHECK(count_of(drawn(spiky).first, "h6z") == 1);  // a triangle marks the clipped value
}

TEST_CASE("plots: every file of a GAN's log, and none without data") {
    std::string log;
    for (int step = 1; step <= 50; ++step) log += figures(step);
    CHECK(Plots(log).written() == Names{"losses", "gradient_norms"});
    CHECK(Plots("").written().empty());
    CHECK(Plots("{\"step\":1,\"seconds\":3}\n").written().empty());
    CHECK(Plots("{\"step\":1,\"loss_d\":null,\"loss_g\":null}\n").written().empty());
    CHECK(Plots("{\"step\":1,\"observed\":{" + sample_statistics + "}}\n").written() == Names{"pixels"});
    CHECK(Plots("{\"step\":1,\"observed\":null}\n{\"step\":2,\"observed\":{\"generator\":{\"weights\":3}}}\n").written().empty());

    log += observation(25, 4,
                       sample_statistics + ",\"score_real\":0.8,\"score_fake\":0.2,\"accuracy_real\":0.9,\"accuracy_fake\":1");
    log += "{\"step\":30,\"event\":\"collapse\",\"what\":\"<all> & \\\"alike\\\" \\u0007\"}\n";
    const Plots plots(log);
    CHECK(plots.written() == Names(std::begin(all_files), std::end(all_files)));
    for (const std::string& name : all_files) {
        CAPTURE(name);
        CHECK(malformed(plots[name]) == "");
    }
    CHECK(has(plots["losses"], "collapse at step 30: &lt;all&gt; &amp; &quot;alike&quot;"));
    CHECK(has(plots["losses"], "Thin: every row of the log. Thick: interquartile mean of the 11 rows around it."));
    CHECK(has(plots["weights"], "discriminator.1.bias"));
    CHECK_FALSE(has(plots["weights"], "not shown"));
    CHECK(has(plots["activations"], "1 linear"));
    CHECK(has(plots["scores"], ">accuracy</text>"));
    CHECK_FALSE(has(plots["scores"], "Wasserstein"));
    CHECK(count_of(plots["scores"], ">step</text>") == 2);  // two panels

    CHECK(has(plots["losses"], ">Losses \xC2\xB7 deep<"));  // the name of the run

    write_plots(history_of(log), plots.folder / "deep/plots");  // replaces the old plots
    CHECK(std::distance(std::filesystem::directory_iterator(plots.folder / "deep/plots"), {}) == std::size(all_files));
    plots.folder.write("file", "");
    CHECK(has(error_of([&] { write_plots(history_of(log), plots.folder / "file"); }), "file"));
}

TEST_CASE("plots: a critic's scores and a classifier's losses") {
    const Plots critic(
        "{\"step\":10,\"observed\":{\"score_real\":7,\"score_fake\":-2,\"w_estimate\":9,\"penalty_norm\":1.2,\"penalty_target\":"
        "0.9}}\n"
        "{\"step\":20,\"observed\":{\"score_real\":null,\"score_fake\":-2,\"w_estimate\":null,\"penalty_norm\":1.1,\"penalty_"
        "target\":0.9}}\n");
    CHECK(critic.written() == Names{"scores"});
    CHECK(has(critic["scores"], "It is positive if"));
    CHECK(has(critic["scores"], "its target"));
    CHECK(count_of(critic["scores"], ">step</text>") == 3);

    const Plots classifier(
        "{\"step\":10,\"loss\":2.3,\"accuracy\":0.1,\"grad_norm\":3}\n{\"step\":20,\"loss\":2,\"accuracy\":0.3,\"grad_norm\":2}\n"
        "{\"step\":20,\"test_accuracy\":0.35}\n");
    CHECK(classifier.written() == Names{"losses", "gradient_norms"});
    CHECK(count_of(classifier["losses"], ">step</text>") == 2);
    CHECK(has(classifier["losses"], ">test_accuracy</text>"));
    CHECK(has(classifier["gradient_norms"], ">grad_norm</text>"));
}

// A constant norm is drawn on its target if they are equal, above it if the target is smaller.
TEST_CASE("plots: the target of a penalty is drawn at its value") {
    const auto heights = [](const char* target) {  // of the norm and the target, from the top
        std::string log;
        for (const char* step : {"10", "20"})
            log += std::string("{\"step\":") + step + ",\"observed\":{\"penalty_norm\":4" + target + "}}\n";
        const std::string svg = Plots(log)["scores"];
        std::vector<double> at;
        for (std::size_t path = svg.find("<path fill=\"none\""); path != std::string::npos;
             path = svg.find("<path fill=\"none\"", path + 1))
            at.push_back(std::stod(svg.substr(svg.find(' ', svg.find(" d=\"M", path) + 3))));
        return at;
    };
    const std::vector<double> same = heights(",\"penalty_target\":4"), less = heights(",\"penalty_target\":2.5");
    REQUIRE(same.size() == 2);
    CHECK(same[0] == same[1]);
    REQUIRE(less.size() == 2);
    CHECK(less[0] < less[1]);
    CHECK(heights("").size() == 1);  // a log without a target
}

TEST_CASE("plots: histograms over time") {
    const History history = history_of(
        "{\"step\":4,\"observed\":{\"generator\":{\"weights\":{"
        "\"a/weights/b\":{\"min\":-1,\"max\":1,\"histogram\":[1,2,1]},"
        "\"nan\":{\"min\":null,\"max\":null,\"histogram\":[0,0,0]},"
        "\"wide\":{\"min\":-1e308,\"max\":1e308,\"histogram\":[1,1]}}}}}");
    REQUIRE(history.histograms.size() == 3);
    CHECK(history.histograms[0].name == "a/weights/b");
    CHECK(history.histograms[0].steps[0].counts == std::vector<float>{1, 2, 1});
    CHECK(history.histograms[1].steps[0].counts.empty());
    CHECK(history.histograms[2].steps[0].counts.empty());

    // Half of the values are -1, half are 1: two strokes over all steps, one at the bottom, one at the top.
    Canvas canvas;
    std::vector<float> counts(32, 0);
    counts.front() = counts.back() = 5;
    CHECK_FALSE(draw_heat_map(canvas, {0, 0, 100, 96}, {"g", "weights", "w", {{0, -1, 1, counts}, {10, -1, 1, counts}}}, 10));
    CHECK(has(canvas.file(1, 1, ""), "d=\"M0 0h100M0 31h100\""));

    std::string log;
    for (int step = 0; step < 3; ++step) log += observation(step, 30, sample_statistics);
    const std::string weights = Plots(log)["weights"];
    CHECK(count_of(weights, "crispEdges") == 24);
    CHECK(count_of(weights, "translate(64 ") == 6);  // four side by side
    CHECK(has(weights, "36 of 60 parameters are not shown"));
    CHECK_FALSE(has(weights, ".bias"));
}

TEST_CASE("plots: rows without data are skipped") {
    std::string log = "3\n[1]\n{\"loss_d\":9}\n{\"step\":\"one\",\"loss_d\":9}\n{\"step\":null}\nnull\n";
    for (int step = 1; step <= 9; ++step) log += figures(step);
    CHECK(history_of(log).last_step == 9);
    CHECK(Plots(log).written() == Names{"losses", "gradient_norms"});
}

TEST_CASE("plots: files stay small") {
    std::string log;
    for (int step = 1; step <= 1000; ++step) {
        log += figures(20 * step, std::to_string(0.5 + 0.4 * std::sin(step * step)));
        if (step % 20 == 0) log += observation(20 * step, 12, sample_statistics + ",\"score_real\":0.8,\"score_fake\":0.2");
    }
    const Plots plots(log);
    CHECK(plots.written().size() == std::size(all_files));
    for (const std::string& name : all_files) {
        CAPTURE(name);
        CHECK(plots[name].size() < 300000);
        CHECK(malformed(plots[name]) == "");
    }
    std::string longer;
    for (int step = 1; step <= 20000; ++step) longer += figures(step, std::to_string(std::sin(step * step)));
    CHECK(Plots(longer)["losses"].size() < 100000);
}

TEST_CASE("plots: alternating losses give a straight line, not a sawtooth") {
    for (const std::size_t count : {60, 500, 1000}) {
        Series line;
        for (std::size_t i = 0; i < count; ++i) line.x.push_back(double(i)), line.y.push_back(i % 2 ? 0.2 : 3.0);
        const std::vector<double> y = smoothed(line, smoothing_window(count)).y;
        CAPTURE(count);
        CHECK(*std::max_element(y.begin(), y.end()) == doctest::Approx(1.6));
        CHECK(*std::min_element(y.begin(), y.end()) == doctest::Approx(1.6));
    }
    // Losses of two alternating critics with noise and curvature: neighbours of the smoothed line differ little.
    Series line;
    for (int i = 0; i < 1000; ++i)
        line.x.push_back(i), line.y.push_back((i % 2 ? 0.2 : 3.0) + 0.1 * std::sin(i * i) + (i % 37 == 0 ? 20 : 0));
    const std::vector<double> y = smoothed(line, smoothing_window(1000)).y;
    for (std::size_t i = 50; i + 50 < y.size(); ++i) CHECK(std::abs(y[i] - y[i - 1]) < 0.05);
}
