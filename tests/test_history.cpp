// The history of a run: its size is bounded, and it does not depend on whether rows were written or read from the log.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/diagnostics/history.h"
#include "engine/run/log.h"
#include "tests/memory_limit.h"
#include "tests/plots_of_logs.h"
#include "tests/skip.h"

using namespace gannet;
using namespace gannet::plots;

TEST_CASE("history: a track keeps the first values, then minima and maxima") {
    Track track;
    for (int i = 1; i <= 2048; ++i) track.add(i, i == 70 ? NAN : std::sin(i));
    CHECK(track.groups() == 1024);
    CHECK(track.stride() == 2);
    const Series points = track.points();  // a minimum and a maximum keep both values of a pair
    REQUIRE(points.y.size() == 2048);
    for (int i = 1; i <= 2048; ++i) {
        CHECK(points.x[std::size_t(i - 1)] == i);
        CHECK((i == 70 ? std::isnan(points.y[69]) : points.y[std::size_t(i - 1)] == std::sin(i)));
    }
    for (int i = 2049; i <= 100000; ++i) track.add(i, i == 77777 ? 50 : i == 90001 ? -60 : i == 80000 ? INFINITY : std::sin(i));
    CHECK(track.stride() == 128);
    CHECK(track.groups() == 782);
    const std::vector<double> x = track.points().x, y = track.points().y;
    const auto at = [&](double step) { return y[std::size_t(std::find(x.begin(), x.end(), step) - x.begin())]; };
    CHECK(x.front() == 1);
    CHECK(x.back() == 100000);
    CHECK(std::is_sorted(x.begin(), x.end()));
    CHECK(at(77777) == 50);
    CHECK(at(90001) == -60);
    CHECK(std::isnan(at(70)));
    CHECK(std::isnan(at(80000)));
    CHECK(track.means().x[0] == 64.5);
    CHECK(track.means().y[1] == doctest::Approx(0).epsilon(0.02));
    CHECK(usual_range(y, track.sample()).high < 4);  // a spike does not set the range

    Track huge;
    for (int i = 0; i < 100000; ++i) huge.add(i, 1.7e308);
    CHECK(huge.means().y[700] == doctest::Approx(1.7e308));
    Track gaps;
    for (int i = 0; i < 100000; ++i) gaps.add(i, NAN);
    CHECK_FALSE(gaps.finite());
    CHECK(std::isnan(gaps.means().y[3]));
}

// Counts stored values and drawn points, which determine memory and time.
TEST_CASE("history: a million rows take no more memory than a thousand") {
    History history;
    std::size_t bytes_of_thousand = 0, largest = 0;
    for (int step = 1; step <= 1000000; ++step) {
        const double v = std::sin(0.37 * step * (step % 11));
        json::Members row{{"step", step}, {"loss_d", v}, {"loss_g", 1 + v * v}, {"grad_norm_d", 2 + v}, {"grad_norm_g", 3 + v}};
        history.add(json::Value(std::move(row)));
        if (step % 100 == 0) history.add(json::parse(observation(step, 2, sample_statistics), "log"));
        largest = std::max(largest, history.find("loss_d")->groups());
        if (step == 1000) bytes_of_thousand = Plots(history)["losses"].size();
    }
    CHECK(largest == Track::capacity);
    const Plots plots(history);
    CHECK(double(plots["losses"].size()) <= 1.1 * double(bytes_of_thousand));
    CHECK(history.find("observed/samples/mean")->groups() <= Track::capacity);
    REQUIRE(history.histograms.size() == 8);
    for (const HistogramSeries& parameter : history.histograms) {
        CHECK(parameter.steps.size() <= HistogramSeries::capacity);
        CHECK(parameter.steps.back().step == 1000000);
    }
    CHECK(has(plots["losses"], "Thin: minimum and maximum of every 1024 rows of the log. Thick: their means"));
}

TEST_CASE("history: many events") {
    std::string log = figures(1);
    for (int i = 0; i < 5000; ++i) log += "{\"step\":2,\"event\":\"collapse\",\"what\":\"again\"}\n";
    const History history = history_of(log);
    CHECK(history.events.size() == History::most_events);
    CHECK(has(Plots(history)["losses"], "and 4994 more events."));
}

// A run adds the rows that it writes to its history. A resumed run first reads the rows up to its checkpoint again.
TEST_CASE("history: the plots of a resumed run equal those of an uninterrupted run, byte for byte") {
    constexpr int steps = 3000;
    const auto train = [](const std::string& log, History& history, int after, int until) {
        const auto reader = [&](const json::Value& row) { history.add(row); };
        RunLog out = after == 0 ? RunLog::create(log, reader) : RunLog::resume(log, after, reader);
        for (int step = after + 1; step <= until; ++step) {
            const double v = std::sin(step * step);
            out.write({{"step", step},
                       {"epoch", step / 7.0},
                       {"loss_d", step == 700 ? INFINITY : v},
                       {"loss_g", 1 / 3.0 + v},
                       {"grad_norm_d", step % 5 ? v * v : NAN},
                       {"grad_norm_g", 2},
                       {"seconds", after + 0.25 * step}});
            if (step % 9 == 0)
                out.write(
                    *json::parse(observation(step, 2, sample_statistics + ",\"w_estimate\":" + std::to_string(v)), "").members());
            if (step % 1000 == 0) out.write({{"step", step}, {"event", "collapse"}, {"what", "\xC3\xA9 <\n>"}});
        }
    };
    TemporaryFolder folder;
    History whole;
    train(folder / "whole.jsonl", whole, 0, steps);
    const Plots expected(whole);
    CHECK(expected.written().size() == std::size(all_files));
    for (const int cut : {1, 1023, 1025, 2048, 2999}) {
        CAPTURE(cut);
        const std::string log = folder / ("cut" + std::to_string(cut));
        History killed, resumed;
        train(log, killed, 0, std::min(steps, cut + 40));  // beyond the checkpoint
        std::filesystem::resize_file(log, std::filesystem::file_size(log) - 3);
        train(log, resumed, cut, steps);
        const Plots plots(resumed);
        for (const std::string& name : all_files) CHECK_MESSAGE(plots[name] == expected[name], name);
    }
}

TEST_CASE("history: a long log is read with little memory") {
    if (!memory_can_be_limited) return skipped("under a sanitizer");
    TemporaryFolder folder;
    std::string log;
    const std::string text(100000, 'x');
    for (int step = 1; step <= 500; ++step)
        log += "{\"step\":" + std::to_string(step) + ",\"loss_d\":1,\"note\":\"" + text + "\"}\n";
    const std::string file = folder.write("log.jsonl", log);
    const std::size_t before = log.size();
    log = std::string();
    CHECK(succeeds_within(std::size_t(16) << 20, [&] {
        History history;
        RunLog::resume(file, 400, [&](const json::Value& row) { history.add(row); });
        return history.last_step == 400;
    }));
    CHECK(std::filesystem::file_size(file) < before * 81 / 100);
}
