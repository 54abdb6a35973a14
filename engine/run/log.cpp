#include "engine/run/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/files.h"

namespace gannet {
namespace {

constexpr const char* to_do = "remove the line, or move the file away";
constexpr std::size_t longest_line = std::size_t(16) << 20;  // an observation of 1,000 parameters takes 0.5 MB

json::Value row_of(const std::string& line, const std::string& place) {
    json::Value row;
    try {
        row = json::parse(line, place, longest_line);
    } catch (const LackOfMemory&) {
        throw;
    } catch (const Error&) {
        throw Error("not a valid log line", place, to_do);
    }
    if (!row.members()) throw Error("a line of the log is " + row.type_name() + ", not an object", place, to_do);
    const json::Value* format = row.find("format");
    const int64_t* number = format ? std::get_if<int64_t>(&format->data) : nullptr;
    if (format && !(number && *number >= 1 && *number <= log_format))
        throw Error("this log has format " + json::dump(*format, -1) + "; this build reads 1 to " + std::to_string(log_format),
                    place, "use the build that wrote it, or a newer one");
    return row;
}

// The step of a row; 0 if it has none.
double step_of(const json::Value& row, const std::string& place) {
    const json::Value* step = row.find("step");
    if (!step) return 0;
    if (const int64_t* n = std::get_if<int64_t>(&step->data)) return double(*n);
    const double* number = std::get_if<double>(&step->data);
    if (!number) throw Error("'step' is " + step->type_name(), place, to_do);
    return *number;
}

// A file's lines, one after the other.
class Lines {
public:
    explicit Lines(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rbe")) {
        if (!file_) throw_file_error("read the log", path_, errno);
    }
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;
    ~Lines() { std::fclose(file_); }

    // False at the end, which includes a line that was cut short by a crash or a power cut that left zeros.
    bool next() {
        line.clear();
        begin = end_;
        for (int c; (c = ::getc_unlocked(file_)) != EOF;) {
            if (c == '\n') {
                end_ = begin + int64_t(line.size()) + 1;
                ++number;
                return true;
            }
            if (c == '\0') {
                while ((c = ::getc_unlocked(file_)) != EOF)
                    if (c != '\0' && c != '\n')
                        throw Error("a line of the log has zeros in it", path_ + ", line " + std::to_string(number + 1), to_do);
                return false;
            }
            if (line.size() == longest_line)
                throw Error("a line of the log is longer than 16 MB", path_ + ", line " + std::to_string(number + 1), to_do);
            line.push_back(char(c));
        }
        if (std::ferror(file_)) throw_file_error("read the log", path_, errno);
        return false;
    }

    std::string line;
    int64_t number = 0;  // of the line, from 1
    int64_t begin = 0;   // where it begins, in bytes

private:
    std::string path_;
    std::FILE* file_;
    int64_t end_ = 0;
};

}  // namespace

RunLog::RunLog(const std::string& path, bool empty, Reader reader) : path_(path), reader_(std::move(reader)) {
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (empty ? O_TRUNC : 0), 0666);
    if (file_ < 0) throw_file_error("write the log", path, errno);
}

RunLog::RunLog(RunLog&& other) noexcept
    : path_(std::move(other.path_)), reader_(std::move(other.reader_)), file_(std::exchange(other.file_, -1)) {}

RunLog::~RunLog() {
    if (file_ >= 0) ::close(file_);
}

RunLog RunLog::create(const std::string& path, Reader reader) {
    RunLog log(path, true, std::move(reader));
    log.write({{"step", 0}, {"format", log_format}});
    return log;
}

bool RunLog::has_steps(const std::string& path) {
    if (!exists(path)) return false;
    Lines lines(path);
    while (lines.next()) {
        const std::string place = path + ", line " + std::to_string(lines.number);
        if (step_of(row_of(lines.line, place), place) > 0) return true;
    }
    return false;
}

RunLog RunLog::resume(const std::string& path, int64_t step, Reader reader) {
    if (!exists(path)) return create(path, std::move(reader));
    Lines lines(path);
    std::optional<int64_t> later;  // where the rows after `step` begin
    while (lines.next()) {
        const std::string place = path + ", line " + std::to_string(lines.number);
        const json::Value row = row_of(lines.line, place);
        if (step_of(row, place) > double(step)) {
            if (!later) later = lines.begin;
        } else if (later) {
            throw Error("a row of an earlier step follows one of a later step", place, to_do);
        } else if (reader) {
            reader(row);
        }
    }
    const int64_t end = later.value_or(lines.begin);
    RunLog log(path, false, std::move(reader));
    if (::ftruncate(log.file_, off_t(end)) != 0) throw_file_error("cut the log back", path, errno);
    if (end == 0) log.write({{"step", 0}, {"format", log_format}});
    return log;
}

void RunLog::write(const json::Members& line) {
    const json::Value row(line);
    const std::string text = json::dump(row, -1) + "\n";
    const off_t before = ::lseek(file_, 0, SEEK_END);
    const int error = write_all(file_, text.data(), text.size());
    if (!error) {
        if (reader_) reader_(row);
        return;
    }
    if (before >= 0 && ::ftruncate(file_, before) != 0) {
    }  // a device; the write's error is what counts
    throw_file_error("write the log", path_, error);
}

void RunLog::sync() {
    if (!exists(path_))
        throw Error("the log was removed while the run wrote it", path_,
                    "move it back, or resume the run, which starts a new one");
    if (::fdatasync(file_) != 0) throw_file_error("sync the log", path_, errno);
}

}  // namespace gannet
