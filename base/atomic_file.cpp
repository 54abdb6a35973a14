// AtomicFile: each writer has its own temporary file, and temporary files of dead writers are removed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/lock.h"
#include "base/owner.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

const std::string mark = ".gannet-";
constexpr int most_writers = 1000;         // of one file at once
constexpr std::size_t longest_name = 240;  // with the suffix it stays below 255 bytes, the limit of file systems

std::string temporary_name(const std::string& path, int number) {
    const std::string name = fs::path(path).filename().string().substr(0, longest_name - 1);
    return (fs::path(parent_of(path)) / ("." + name + mark + std::to_string(number))).string();
}

// Resolves links. A dangling link is followed, too: the file is created at its target.
std::string follow_links(std::string path) {
    std::error_code error;
    for (int depth = 0; depth < 40 && fs::is_symlink(path, error); ++depth) {
        const fs::path to = fs::read_symlink(path, error);
        if (error) break;
        path = (to.is_absolute() ? to : fs::path(path).parent_path() / to).string();
    }
    return path;
}

bool is_at(int file, const std::string& path) {
    struct stat opened {
    }, named{};
    return ::fstat(file, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

// A writer locks its temporary file, so a file without a lock has no living writer.
void remove_if_dead(const std::string& temporary) {
    const int f = ::open(temporary.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (f < 0) return;
    struct stat info {};
    if (::fstat(f, &info) == 0 && S_ISREG(info.st_mode) && lock_file(f) == Locked::yes && is_at(f, temporary))
        ::unlink(temporary.c_str());
    ::close(f);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
    struct stat info {};
    if (::stat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
        file_ = ::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);  // a folder fails here with EISDIR
        if (file_ < 0) throw_file_error("write", path_, errno);
        ::fcntl(file_, F_SETFL, 0);
    } else {
        path_ = follow_links(path);
        open_temporary();
    }
}

void AtomicFile::open_temporary() {
    // A file that replaces a private one is private from its first byte; commit() gives it the old mode.
    struct stat old {};
    const mode_t mode = ::stat(path_.c_str(), &old) == 0 ? 0600 : 0666;
    for (int number = 0; number < most_writers; ++number) {
        temporary_ = temporary_name(path_, number);
        remove_if_dead(temporary_);
        file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (file_ < 0 && errno == EEXIST) continue;
        if (file_ < 0) throw_file_error("write", path_, errno);
        // Another program may have removed the file before it was locked.
        if (lock_file(file_) != Locked::by_another && is_at(file_, temporary_)) return;
        ::close(file_);
        file_ = -1;
    }
    throw Error("cannot write: " + std::to_string(most_writers) + " temporary files are in the way", temporary_, "remove them");
}

AtomicFile::~AtomicFile() { close(); }

void AtomicFile::close() {
    if (file_ < 0) return;
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    ::close(file_);
    file_ = -1;
}

void AtomicFile::fail(int error) {
    close();
    throw_file_error("write", path_, error);
}

void AtomicFile::write(const void* bytes, std::size_t count) {
    if (const int error = write_all(file_, bytes, count)) fail(error);
}

void AtomicFile::commit() {
    if (temporary_.empty()) {
        close();
        return;
    }
    if (struct stat old{}; ::stat(path_.c_str(), &old) == 0) keep_owner_and_mode(file_, old);
    if (::fsync(file_) != 0) fail(errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
    ::close(file_);
    file_ = -1;
    sync_folder(parent_of(path_));
}

bool is_temporary(const std::string& name) {
    const std::size_t at = name.rfind(mark), number = at + mark.size();
    return at != std::string::npos && at > 0 && name[0] == '.' && number < name.size() && name.size() <= number + 3 &&
           name.find_first_not_of("0123456789", number) == std::string::npos;
}

void remove_dead_temporaries(const std::string& folder) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
        if (is_temporary(entry->path().filename().string())) remove_if_dead(entry->path().string());
}

}  // namespace gannet
