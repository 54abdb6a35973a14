// What the log of a run holds, by name instead of by line.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/plots/scale.h"

namespace gannet::plots {

struct Histogram {
    double step = 0, low = 0, high = 0;
    std::vector<double> counts;  // of equal bins from low to high; empty: not known at this step
};

// The histograms of one parameter's weights or gradients.
struct HistogramSeries {
    std::string network, kind, name;  // generator, weights, generator.0.weight
    std::vector<Histogram> steps;
};

struct Event {
    double step = 0;
    std::string kind, what;
};

struct History {
    double last_step = 0;
    std::vector<HistogramSeries> histograms;  // these three in the order of the log
    std::vector<Event> events;
    std::vector<std::string> names;  // of the series
    std::map<std::string, Series> series;

    // The numbers at a place in the lines, as "loss_d" or "observed/samples/mean", over their steps. Null unless one is finite.
    const Series* find(const std::string& name) const;
};

// Lines that are no JSON objects with a step are passed over. Throws Error if the file cannot be read.
History read_history(const std::string& log);

}  // namespace gannet::plots
