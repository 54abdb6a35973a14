#include "engine/diagnostics/history.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace gannet::plots {
namespace {

using json::Value;

// null in the log is read as NaN, as in a row that was not yet written.
std::optional<double> number(const Value& value) {
    if (const int64_t* n = std::get_if<int64_t>(&value.data)) return double(*n);
    if (const double* d = std::get_if<double>(&value.data)) return std::isfinite(*d) ? *d : NAN;
    return value.is_null() ? std::optional<double>(NAN) : std::nullopt;
}

double number_at(const Value& row, const char* key) {
    const Value* value = row.find(key);
    return value ? number(*value).value_or(NAN) : NAN;
}

std::string text_at(const Value& row, const char* key) {
    const Value* value = row.find(key);
    return value && value->text() ? *value->text() : "";
}

}  // namespace

void HistogramSeries::add(Histogram histogram) {
    if (added > 0 && (added - 1) % stride != 0) steps.pop_back();  // it was the last
    if (steps.size() == capacity) {
        for (std::size_t i = 0; i < capacity / 2; ++i) steps[i] = std::move(steps[2 * i]);
        steps.resize(capacity / 2);
        stride *= 2;
    }
    steps.push_back(std::move(histogram));
    ++added;
}

void History::add(const Value& row) {
    const double step = number_at(row, "step");
    if (!std::isfinite(step)) return;
    last_step = std::max(last_step, step);
    if (row.find("event")) {
        ++event_count;
        if (events.size() < most_events) events.push_back({step, text_at(row, "event"), text_at(row, "what")});
        return;
    }
    for (const auto& [key, value] : *row.members())
        if (key == "observed") observation(step, value);
        else if (key != "step" && key != "epoch" && key != "seconds" && key != "img_per_s") numbers(step, key, value);
}

// Histograms are under observed/NETWORK/KIND/NAME, which may hold any character, so they are separated here.
void History::observation(double step, const Value& observed) {
    if (!observed.members()) return;
    for (const auto& [network, parts] : *observed.members()) {
        if (!parts.members()) {
            numbers(step, "observed/" + network, parts);
            continue;
        }
        for (const auto& [kind, entries] : *parts.members())
            if (kind == "weights" || kind == "gradients") histograms_of(step, network, kind, entries);
            else numbers(step, "observed/" + network + "/" + kind, entries);
    }
}

void History::histograms_of(double step, const std::string& network, const std::string& kind, const Value& entries) {
    if (!entries.members()) return;
    for (const auto& [name, entry] : *entries.members()) {
        Histogram histogram{step, number_at(entry, "min"), number_at(entry, "max"), {}};
        const Value* counts = entry.find("histogram");
        if (counts && counts->list() && histogram.low <= histogram.high && std::isfinite(histogram.high - histogram.low))
            for (const Value& count : *counts->list())
                histogram.counts.push_back(float(std::fmax(0.0, number(count).value_or(0))));
        const std::vector<std::string> key{network, kind, name};
        auto place = parameters_.find(key);
        if (place == parameters_.end()) {
            if (histograms.size() == most_names) continue;
            place = parameters_.emplace(key, histograms.size()).first;
            histograms.push_back({network, kind, name, {}});
        }
        histograms[place->second].add(std::move(histogram));
    }
}

void History::numbers(double step, const std::string& name, const Value& value) {
    if (value.members()) {
        for (const auto& [key, inner] : *value.members()) numbers(step, name + "/" + key, inner);
    } else if (const std::optional<double> n = number(value)) {
        auto place = tracks_.find(name);
        if (place == tracks_.end()) {
            if (names.size() == most_names) return;
            place = tracks_.emplace(name, Track()).first;
            names.push_back(name);
        }
        place->second.add(step, *n);
    }
}

const Track* History::find(const std::string& name) const {
    const auto found = tracks_.find(name);
    return found != tracks_.end() && found->second.finite() ? &found->second : nullptr;
}

}  // namespace gannet::plots
