// Fuzz targets: logs and histories of runs. Checkpoints are in checkpoint_targets.cpp.
#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "engine/diagnostics/history.h"
#include "engine/diagnostics/plots.h"
#include "engine/run/log.h"
#include "tests/fuzz/target.h"

namespace gannet::fuzz {

void run_log(const std::string& bytes) {
    const std::string file = file_of(bytes, "log.jsonl");
    RunLog::resume(file, 100).write({{"step", int64_t(101)}});
    RunLog::resume(file, 101).write({{"step", int64_t(102)}});
    hold(read_file(file).ends_with("{\"step\": 101}\n{\"step\": 102}\n"), "a log does not end with the written rows");
}

namespace {

plots::History history_of(const std::string& bytes) {
    plots::History history;
    RunLog::resume(file_of(bytes, "log.jsonl"), int64_t(1) << 62, [&](const json::Value& row) { history.add(row); });
    return history;
}

}  // namespace

void run_history(const std::string& bytes) {
    hold(history_of(bytes).events.size() <= plots::History::most_events, "too many events");
}

void run_plots(const std::string& bytes) {
    const plots::History history = history_of(bytes);
    const std::string folder = std::filesystem::path(file_of(bytes, "log.jsonl")).parent_path().string() + "/plots";
    make_folders(folder);
    write_plots(history, folder);
}

}  // namespace gannet::fuzz
