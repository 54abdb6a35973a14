// The contents of a run's log by name instead of by row. Its memory grows with the rows only up to a limit.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/diagnostics/track.h"

namespace gannet::plots {

struct Histogram {
    double step = 0, low = 0, high = 0;
    std::vector<float> counts;  // of equal bins from low to high; empty: not known at this step
};

// The histograms of one parameter's weights or gradients: of every row until there are `capacity`, then of every second row,
// every fourth ..., and of the last row.
struct HistogramSeries {
    static constexpr std::size_t capacity = 128;

    std::string network, kind, name;  // generator, weights, generator.0.weight
    std::vector<Histogram> steps;
    int64_t stride = 1, added = 0;

    void add(Histogram histogram);
};

struct Event {
    double step = 0;
    std::string kind, what;
};

class History {
public:
    static constexpr std::size_t most_events = 100, most_names = 10000;

    // Adds a row of the log. A written row and the same row read from the file give the same history. Ignores rows without a
    // step, and times, which no plot shows.
    void add(const json::Value& row);

    // The numbers at a place in the rows, as "loss_d" or "observed/samples/mean", over their steps. Null unless one is finite.
    const Track* find(const std::string& name) const;

    double last_step = 0;
    std::vector<HistogramSeries> histograms;  // these three in the order of the log
    std::vector<Event> events;                // the first of them
    std::vector<std::string> names;           // of the tracks
    std::size_t event_count = 0;

private:
    void observation(double step, const json::Value& observed);
    void histograms_of(double step, const std::string& network, const std::string& kind, const json::Value& entries);
    void numbers(double step, const std::string& name, const json::Value& value);

    std::map<std::string, Track> tracks_;
    std::map<std::vector<std::string>, std::size_t> parameters_;  // where they are in `histograms`
};

}  // namespace gannet::plots
