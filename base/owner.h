// What a file or folder keeps when another takes its place.
#pragma once
#include <sys/stat.h>
#include <unistd.h>

namespace gannet {

// Gives an open file or folder the owner, group and mode of the one that it is about to replace, as far as this user may. If it
// stays in another group, that group gets no more rights than others have.
inline void keep_owner_and_mode(int file, const struct stat& old) {
    struct stat made {};
    mode_t mode = old.st_mode & (S_ISDIR(old.st_mode) ? 07777 : 0777);
    if (::fstat(file, &made) == 0 && old.st_gid != made.st_gid && ::fchown(file, uid_t(-1), old.st_gid) != 0)
        mode &= 07707 | (mode & 07) << 3;
    if (old.st_uid != made.st_uid && ::fchown(file, old.st_uid, gid_t(-1)) != 0) {
    }  // only root may
    if (::fchmod(file, mode) != 0) {
    }  // a file system without modes
}

}  // namespace gannet
