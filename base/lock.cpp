#include "base/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace gannet {
namespace {

std::shared_ptr<const int> closed_at_the_end(int file) {
    return {new int(file), [](const int* descriptor) {
                ::close(*descriptor);
                delete descriptor;
            }};
}

}  // namespace

Locked lock_file(int file) {
    while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return Locked::by_another;
        if (errno != EINTR) return Locked::unsupported;
    }
    return Locked::yes;
}

std::optional<FolderLock> FolderLock::take(const std::string& folder) {
    FolderLock lock;
    const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) throw_file_error("open the folder", folder, errno);
    lock.file_ = closed_at_the_end(opened);
    Locked locked = lock_file(opened);
    if (locked == Locked::unsupported) {
        // NFS can lock only files that are open for writing, so no folders.
        const int file = ::open((folder + "/" + file_name).c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
        if (file >= 0) {
            lock.file_ = closed_at_the_end(file);
            lock.on_file_ = true;
            locked = lock_file(file);
        }
    }
    if (locked == Locked::by_another) return std::nullopt;
    lock.works_ = locked == Locked::yes;
    return lock;
}

}  // namespace gannet
