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

// The step that a line of the log is of; 0 if it names none.
double step_of(const std::string& line, const std::string& place) {
    const char* const to_do = "remove the line, or move the file away";
    config::Value value;
    try {
        value = config::parse_json(line, place);
    } catch (const Error&) {
        throw Error("this is no line of a run's log", place, to_do);
    }
    if (!value.members()) throw Error("a line of the log is " + value.type_name() + ", not an object", place, to_do);
    const config::Value* step = value.find("step");
    if (!step) return 0;
    if (const int64_t* n = std::get_if<int64_t>(&step->data)) return double(*n);
    const double* number = std::get_if<double>(&step->data);
    if (!number) throw Error("'step' is " + step->type_name(), place, to_do);
    return *number;
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
        int64_t number = 1;
        for (std::size_t begin = 0; begin < old.size(); ++number) {
            const std::size_t end = old.find('\n', begin);
            if (end == std::string::npos) break;  // the program was stopped while it wrote
            const std::string line = old.substr(begin, end - begin);
            if (step_of(line, path + ", line " + std::to_string(number)) <= double(step)) kept += line + "\n";
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
