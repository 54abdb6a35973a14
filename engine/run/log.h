// log.jsonl: one JSON object per line.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"

namespace gannet {

// The number in the first row, {"step": 0, "format": 2}. 1, the logs without it, have a row of their own for each interrupt.
constexpr int64_t log_format = 2;

class RunLog {
public:
    using Reader = std::function<void(const json::Value& row)>;

    // A new log, in place of any old one. `reader`, if there is one, gets each row once it is in the file.
    static RunLog create(const std::string& path, Reader reader = {});
    // Continues an old log (or a new one where there is none). It ends before the first line that is of a later step than `step`
    // or that a crash cut short. `reader` gets the rows that are kept first: the file is read once, line by line.
    static RunLog resume(const std::string& path, int64_t step, Reader reader = {});

    RunLog(RunLog&& other) noexcept;
    RunLog& operator=(RunLog&&) = delete;
    ~RunLog();

    // One line, in the file when this returns. NaN and infinities become null. If it cannot be written in full, the log
    // ends with the line before and Error is thrown.
    void write(const json::Members& line);
    // Returns when the disk has all rows.
    void sync();

private:
    RunLog(const std::string& path, bool empty, Reader reader);
    std::string path_;
    Reader reader_;
    int file_ = -1;
};

// Calls row(value, step, end) for each row of a log in turn; `step` is the row's (0 if it has none), `end` the offset of the byte
// after it. Stops at the end, at a row that was cut short, or where `row` returns false. Takes the memory of one row. Throws
// Error for lines that are not rows, and for a log of a newer format.
void read_log(const std::string& path, const std::function<bool(const json::Value& row, double step, int64_t end)>& row);

}  // namespace gannet
