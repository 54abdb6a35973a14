#include "engine/plots/history.h"

#include <algorithm>
#include <cmath>

#include "engine/config/value.h"
#include "engine/run/files.h"
#include "kernels/error.h"

namespace gannet::plots {
namespace {

using config::Value;

double number(const Value* value) {
    if (value)
        if (const int64_t* n = std::get_if<int64_t>(&value->data)) return double(*n);
    const double* d = value ? std::get_if<double>(&value->data) : nullptr;
    return d ? *d : NAN;
}

std::string text(const Value* value) { return value && value->text() ? *value->text() : ""; }

class Reader {
public:
    explicit Reader(History& history) : history_(history) {}

    void line(const Value& line) {
        step_ = number(line.find("step"));
        if (!std::isfinite(step_)) return;
        history_.last_step = std::max(history_.last_step, step_);
        if (const Value* event = line.find("event")) {
            history_.events.push_back({step_, text(event), text(line.find("what"))});
            return;
        }
        if (!line.members()) return;
        for (const auto& [key, value] : *line.members())
            if (key == "observed") observation(value);
            else if (key != "step") numbers(key, value);
    }

private:
    // Histograms are under observed/NETWORK/KIND/NAME, which may hold any character, so they are told apart here.
    void observation(const Value& observed) {
        if (!observed.members()) return;
        for (const auto& [network, parts] : *observed.members()) {
            if (!parts.members()) {
                numbers("observed/" + network, parts);
                continue;
            }
            for (const auto& [kind, entries] : *parts.members())
                if (kind == "weights" || kind == "gradients") histograms(network, kind, entries);
                else numbers("observed/" + network + "/" + kind, entries);
        }
    }

    void histograms(const std::string& network, const std::string& kind, const Value& entries) {
        if (!entries.members()) return;
        for (const auto& [name, entry] : *entries.members()) {
            Histogram histogram{step_, number(entry.find("min")), number(entry.find("max")), {}};
            const Value* counts = entry.find("histogram");
            if (counts && counts->list() && histogram.low <= histogram.high && std::isfinite(histogram.high - histogram.low))
                for (const Value& count : *counts->list()) histogram.counts.push_back(std::fmax(0.0, number(&count)));
            parameter(network, kind, name).steps.push_back(std::move(histogram));
        }
    }

    HistogramSeries& parameter(const std::string& network, const std::string& kind, const std::string& name) {
        const auto [place, added] = parameters_.try_emplace({network, kind, name}, history_.histograms.size());
        if (added) history_.histograms.push_back({network, kind, name, {}});
        return history_.histograms[place->second];
    }

    void numbers(const std::string& name, const Value& value) {
        if (value.members()) {
            for (const auto& [key, inner] : *value.members()) numbers(name + "/" + key, inner);
        } else if (value.is_null() || !std::isnan(number(&value))) {
            const auto [place, added] = history_.series.try_emplace(name);
            if (added) history_.names.push_back(name);
            place->second.x.push_back(step_);
            place->second.y.push_back(number(&value));
        }
    }

    History& history_;
    std::map<std::vector<std::string>, std::size_t> parameters_;
    double step_ = 0;
};

}  // namespace

const Series* History::find(const std::string& name) const {
    const auto found = series.find(name);
    if (found == series.end()) return nullptr;
    const std::vector<double>& y = found->second.y;
    return std::any_of(y.begin(), y.end(), [](double v) { return std::isfinite(v); }) ? &found->second : nullptr;
}

History read_history(const std::string& log) {
    const std::string content = read_file(log);
    History history;
    Reader reader(history);
    for (std::size_t begin = 0; begin < content.size();) {
        const std::size_t end = std::min(content.find('\n', begin), content.size());
        try {
            reader.line(config::parse_json(content.substr(begin, end - begin), "log"));
        } catch (const Error&) {  // the program that trains may be writing it now
        }
        begin = end + 1;
    }
    return history;
}

}  // namespace gannet::plots
