// log.jsonl: one JSON object per line.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"

namespace gannet {

// The number in the first row, {"step": 0, "format": 2}. Logs of format 1 have no such row, and an extra row for each interrupt.
constexpr int64_t log_format = 2;

class RunLog {
public:
    using Reader = std::function<void(const json::Value& row)>;

    // Starts a new log in place of any old one. `reader`, if given, gets each row once it is in the file.
    static RunLog create(const std::string& path, Reader reader = {});
    // Continues an old log, or starts a new one. Removes rows from the first line of a step after `step`, or that a crash cut
    // short. `reader` first gets the kept rows: the file is read once, line by line. Throws Error, and changes nothing, if the
    // log is damaged: not a row, or a row that is out of order.
    static RunLog resume(const std::string& path, int64_t step, Reader reader = {});

    // Whether the log has a row of a step after step 0.
    static bool has_steps(const std::string& path);

    RunLog(RunLog&& other) noexcept;
    RunLog& operator=(RunLog&&) = delete;
    ~RunLog();

    // Appends one line, which is in the file when this returns. NaN and infinities become null. If it cannot be written
    // completely, the log keeps its previous lines and Error is thrown.
    void write(const json::Members& line);
    // Returns when all rows are on disk.
    void sync();

private:
    RunLog(const std::string& path, bool empty, Reader reader);
    std::string path_;
    Reader reader_;
    int file_ = -1;
};

}  // namespace gannet
