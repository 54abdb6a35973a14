#include "engine/run/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "kernels/error.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

// Where links lead. A link to nothing yet is followed too: the file appears where it points.
std::string follow_links(std::string path) {
    std::error_code error;
    for (int depth = 0; depth < 40 && fs::is_symlink(path, error); ++depth) {
        const fs::path to = fs::read_symlink(path, error);
        if (error) break;
        path = (to.is_absolute() ? to : fs::path(path).parent_path() / to).string();
    }
    return path;
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
    }
    throw Error("cannot " + what + ": " + std::generic_category().message(error), path, to_do);
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

bool exists(const std::string& path) {
    std::error_code error;
    return fs::exists(path, error);
}

bool is_folder(const std::string& path) {
    std::error_code error;
    return fs::is_directory(path, error);
}

bool is_empty_folder(const std::string& path) {
    std::error_code error;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
        if (entry->path().filename() != "config.json.tmp") return false;
    return !error;
}

std::string parent_of(const std::string& path) {
    const std::string folder = fs::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
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

// Some file systems cannot sync a folder, and one may write to a folder that one cannot list: no failure of the write.
void sync_folder(const std::string& path) {
    const int f = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f < 0 && errno == EACCES) return;
    if (f < 0) throw_file_error("sync the folder", path, errno);
    const int error = ::fsync(f) != 0 && errno != EINVAL && errno != ENOTSUP ? errno : 0;
    ::close(f);
    if (error) throw_file_error("sync the folder", path, error);
}

std::string read_file(const std::string& path) {
    const int f = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (f < 0) throw_file_error("open", path, errno);
    std::string content;
    char buffer[1 << 16];
    for (;;) {
        const ssize_t n = ::read(f, buffer, sizeof buffer);
        const int error = n < 0 ? errno : 0;
        if (error == EINTR) continue;
        if (n <= 0) ::close(f);
        if (error) throw_file_error("read", path, error);
        if (n == 0) return content;
        content.append(buffer, std::size_t(n));
    }
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
    struct stat info {};
    if (::stat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
        file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);  // a folder fails here with EISDIR
    } else {
        path_ = follow_links(path);
        // The name is fixed, so that what a killed run leaves behind is replaced by the next.
        temporary_ = path_ + ".tmp";
        ::unlink(temporary_.c_str());
        file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (file_ < 0) throw_file_error("write", path_, errno);
}

AtomicFile::~AtomicFile() { close(); }

void AtomicFile::close() {
    if (file_ < 0) return;
    ::close(file_);
    file_ = -1;
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
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
    if (::fsync(file_) != 0) fail(errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
    ::close(file_);
    file_ = -1;
    sync_folder(parent_of(path_));
}

void atomic_write(const std::string& path, std::string_view content) {
    AtomicFile file(path);
    file.write(content.data(), content.size());
    file.commit();
}

}  // namespace gannet
