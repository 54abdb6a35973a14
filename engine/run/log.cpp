#include "engine/run/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "engine/run/files.h"
#include "kernels/error.h"

namespace gannet {
namespace {

bool keep_line(const std::string& line, int64_t step) {
    try {
        const config::Value value = config::parse_json(line, "log");
        const config::Value* at = value.find("step");
        if (!at) return std::holds_alternative<config::Members>(value.data);
        if (const int64_t* n = std::get_if<int64_t>(&at->data)) return *n <= step;
        const double* number = std::get_if<double>(&at->data);
        return number && *number <= double(step);
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

RunLog::RunLog(const std::string& path, bool empty) : path_(path) {
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (empty ? O_TRUNC : 0), 0666);
    if (file_ < 0) throw_file_error("write the log", path, errno);
}

RunLog::RunLog(RunLog&& other) noexcept : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

RunLog::~RunLog() {
    if (file_ >= 0) ::close(file_);
}

RunLog RunLog::create(const std::string& path) { return RunLog(path, true); }

RunLog RunLog::resume(const std::string& path, int64_t step) {
    if (exists(path)) {
        const std::string old = read_file(path);
        std::string kept;
        for (std::size_t begin = 0; begin < old.size();) {
            const std::size_t end = old.find('\n', begin);
            if (end == std::string::npos) break;
            const std::string line = old.substr(begin, end - begin);
            if (keep_line(line, step)) kept += line + "\n";
            begin = end + 1;
        }
        if (kept != old) atomic_write(path, kept);
    }
    return RunLog(path, false);
}

void RunLog::write(const config::Members& line) {
    const std::string text = config::dump_json(config::Value(line), -1) + "\n";
    const off_t before = ::lseek(file_, 0, SEEK_END);
    const int error = write_all(file_, text.data(), text.size());
    if (!error) return;
    if (before >= 0 && ::ftruncate(file_, before) != 0) {
    }  // a device; the write's error is what counts
    throw_file_error("write the log", path_, error);
}

}  // namespace gannet
