// Rows of logs, and the plots of such logs.
#pragma once
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "engine/diagnostics/history.h"
#include "engine/diagnostics/plots.h"
#include "tests/temporary.h"

namespace gannet::plots {

inline std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
    return count;
}

inline std::string figures(int step, const std::string& loss_d = "0.5") {
    const std::string at = std::to_string(step);
    return "{\"step\":" + at + ",\"loss_d\":" + loss_d + ",\"loss_g\":" + std::to_string(1 + 0.3 * std::sin(step)) +
           ",\"grad_norm_d\":0.25,\"grad_norm_g\":" + std::to_string(2 + std::cos(step)) + "}\n";
}

inline std::string statistics(int step, int of) {
    std::string counts;
    for (int bin = 0; bin < 32; ++bin) counts += (bin ? "," : "") + std::to_string((bin * 37 + step * 13 + of * 7) % 50);
    return "{\"mean\":0,\"std\":1,\"min\":-1,\"max\":" + std::to_string(1 + 0.01 * of) + ",\"histogram\":[" + counts + "]}";
}

// An observation of two networks with `parameters` parameters each, with the members `more`.
inline std::string observation(int step, int parameters, const std::string& more) {
    std::string line = "{\"step\":" + std::to_string(step) + ",\"observed\":{" + more;
    for (const char* network : {"generator", "discriminator"}) {
        std::string weights, layers;
        for (int p = 0; p < parameters; ++p) {
            const std::string name = std::string(network) + "." + std::to_string(p / 2);
            weights += (p ? ",\"" : "\"") + name + (p % 2 ? ".bias\":" : ".weight\":") + statistics(step, p);
            if (p % 2 == 0)
                layers += (p ? ",\"" : "\"") + name + " linear\":{\"mean\":0." + std::to_string(step % 7) +
                          ",\"std\":" + std::to_string(p + 1) + "}";
        }
        line += std::string(",\"") + network + "\":{\"weights\":{" + weights + "},\"gradients\":{" + weights +
                "},\"activations\":{" + layers + "}}";
    }
    return line + "}}\n";
}

inline const std::string sample_statistics =
    "\"samples\":{\"mean\":-0.7,\"std\":0.5,\"distance\":12},\"data\":{\"mean\":-0.73,\"std\":0.61,\"distance\":14}";
inline const std::string all_files[] = {"losses", "gradient_norms", "pixels", "scores", "weights", "gradients", "activations"};

inline History history_of(const std::string& log) {
    History history;
    std::istringstream rows(log);
    for (std::string row; std::getline(rows, row);) history.add(json::parse(row, "log"));
    return history;
}

// The files that write_plots writes for a log.
struct Plots {
    TemporaryFolder folder;
    explicit Plots(const History& history) { write_plots(history, folder / "deep/plots"); }
    explicit Plots(const std::string& log) : Plots(history_of(log)) {}
    std::string path(const std::string& name) const { return folder / "deep/plots/" + name + ".svg"; }
    std::string operator[](const std::string& name) const { return exists(path(name)) ? read_file(path(name)) : ""; }
    std::vector<std::string> written() const {
        std::vector<std::string> names;
        for (const std::string& name : all_files)
            if (exists(path(name))) names.push_back(name);
        return names;
    }
};

using Names = std::vector<std::string>;

}  // namespace gannet::plots
