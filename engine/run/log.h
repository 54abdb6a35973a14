// log.jsonl: one JSON object per logged step.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "engine/config/value.h"

namespace gannet {

class RunLog {
public:
    using Reader = std::function<void(const config::Value& row)>;

    // A new, empty log, in place of any old one. `reader`, if there is one, gets each row once it is in the file.
    static RunLog create(const std::string& path, Reader reader = {});
    // Continues an old log (or a new one where there is none). It ends before the first line that is of a later step than `step`
    // or that a crash cut short. `reader` gets the rows that are kept first: the file is read once, line by line.
    static RunLog resume(const std::string& path, int64_t step, Reader reader = {});

    RunLog(RunLog&& other) noexcept;
    RunLog& operator=(RunLog&&) = delete;
    ~RunLog();

    // One line, in the file when this returns. NaN and infinities become null. If it cannot be written in full, the log
    // ends with the line before and Error is thrown.
    void write(const config::Members& line);

private:
    RunLog(const std::string& path, bool empty, Reader reader);
    std::string path_;
    Reader reader_;
    int file_ = -1;
};

}  // namespace gannet
