#include "base/files.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/error.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/reason.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

// Reading a named pipe without a writer blocks forever, and a late writer cannot be told from a missing one.
constexpr int most_waits = 50, wait_ms = 20;

// The file type at a path (S_IFREG, S_IFDIR, ...); 0 if it does not exist.
mode_t kind_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) return info.st_mode & S_IFMT;
    if (errno != ENOENT && errno != ENOTDIR) throw_file_error("reach it", path, errno);
    return 0;
}

}  // namespace

void throw_file_error(const std::string& what, const std::string& path, int error) {
    std::string to_do = "check the path and the disk";
    switch (error) {
        case ENOSPC:
        case EDQUOT: to_do = "free some space or choose another folder"; break;
        case EFBIG: to_do = "raise the limit on file sizes (ulimit -f) or choose another folder"; break;
        case EACCES:
        case EPERM:
        case EROFS: to_do = "check the permissions or choose another folder"; break;
        case ENOENT: to_do = "check the path"; break;
        case ENOTDIR: to_do = "a part of the path is a file, not a folder"; break;
        case EISDIR: to_do = "name a file, not a folder"; break;
        case ENXIO: to_do = "this is a socket, or a pipe that no program reads: name a file"; break;
    }
    throw Error("cannot " + what + ": " + reason_of(error), path, to_do);
}

int write_all(int file, const void* bytes, std::size_t count) {
    const char* from = static_cast<const char*>(bytes);
    while (count > 0) {
        const ssize_t n = ::write(file, from, count);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? errno : ENOSPC;
        from += n;
        count -= std::size_t(n);
    }
    return 0;
}

bool exists(const std::string& path) { return kind_of(path) != 0; }
bool is_folder(const std::string& path) { return kind_of(path) == S_IFDIR; }

bool is_empty_folder(const std::string& path) {
    std::error_code error;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name != FolderLock::file_name && !is_temporary(name)) return false;
    }
    if (error && error != std::errc::not_a_directory && error != std::errc::no_such_file_or_directory)
        throw_file_error("list the folder", path, error.value());
    return !error;
}

std::string parent_of(const std::string& path) {
    const std::string folder = fs::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

std::string without_slash(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

void make_folders(const std::string& path) {
    if (is_folder(path)) return;
    const fs::path here(path);
    if (!here.has_filename()) return make_folders(here.parent_path().string());  // "a/"
    make_folders(parent_of(path));
    if (::mkdir(path.c_str(), 0777) != 0) {
        const int error = errno;
        if (error == EEXIST && is_folder(path)) return;
        throw_file_error("create the folder", path, error == EEXIST ? ENOTDIR : error);
    }
    sync_folder(parent_of(path));
}

// Some file systems cannot sync a folder, and a folder may be writable but not readable. Neither means that the write failed.
void sync_folder(const std::string& path) {
    const int f = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f < 0 && errno == EACCES) return;
    if (f < 0) throw_file_error("sync the folder", path, errno);
    const int error = ::fsync(f) != 0 && errno != EINVAL && errno != ENOTSUP ? errno : 0;
    ::close(f);
    if (error) throw_file_error("sync the folder", path, error);
}

void check_is_file(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) return;
    const std::string kind = S_ISFIFO(info.st_mode) ? "a pipe" : S_ISSOCK(info.st_mode) ? "a socket" : "a device";
    throw Error("this is " + kind + ", not a file", path, "name a file, or move it away");
}

std::string read_file(const std::string& path, std::size_t most) {
    const int f = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (f < 0) throw_file_error("open the file", path, errno);
    const std::unique_ptr<const int, void (*)(const int*)> closed(&f, [](const int* file) { ::close(*file); });
    struct stat info {};
    const bool pipe = ::fstat(f, &info) == 0 && S_ISFIFO(info.st_mode);
    const std::size_t size = S_ISREG(info.st_mode) ? std::min(std::size_t(info.st_size), most) : 0;
    constexpr std::size_t large = 16 << 20;
    if (size > large) check_free(int64_t(size), path, free_memory_now);
    std::string content;
    content.reserve(size);
    char buffer[1 << 16];
    for (int waits = 0; content.size() < most;) {
        const ssize_t n = ::read(f, buffer, std::min(sizeof buffer, most - content.size()));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {  // the writer has not written yet
            ::fcntl(f, F_SETFL, 0);
            continue;
        }
        if (n < 0) throw_file_error("read", path, errno);
        if (n == 0 && pipe && content.empty()) {
            if (++waits > most_waits)
                throw Error("no program writes to this pipe", path, "name a file, or start what writes to it first");
            ::poll(nullptr, 0, wait_ms);
            continue;
        }
        if (n == 0) break;
        content.append(buffer, std::size_t(n));
    }
    return content;
}

void atomic_write(const std::string& path, std::string_view content) {
    AtomicFile file(path);
    file.write(content.data(), content.size());
    file.commit();
}

}  // namespace gannet
