// log.jsonl: one JSON object per logged step.
#pragma once
#include <cstdint>
#include <string>

#include "engine/config/value.h"

namespace gannet {

class RunLog {
public:
    // A new, empty log, in place of any old one.
    static RunLog create(const std::string& path);
    // Goes on with an old log (or a new one where there is none). Only lines whose "step" is at most `step` are kept;
    // lines that a crash cut short go.
    static RunLog resume(const std::string& path, int64_t step);

    RunLog(RunLog&& other) noexcept;
    RunLog& operator=(RunLog&&) = delete;
    ~RunLog();

    // One line, in the file when this returns. NaN and infinities become null. If it cannot be written in full, the log
    // ends with the line before and Error is thrown.
    void write(const config::Members& line);

private:
    RunLog(const std::string& path, bool empty);
    std::string path_;
    int file_ = -1;
};

}  // namespace gannet
