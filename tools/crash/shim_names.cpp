// Calls that change names and attributes.
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "shim.h"

using namespace shim;

extern "C" {

char* mkdtemp(char* path) {
    char* result = nullptr;
    guard(
        'm', path, [&] { return (result = next<char*(char*)>("mkdtemp")(path)) ? 0 : -1; }, [&] { record_path('m', path); });
    return result;
}

int renameat2(int from, const char* a, int to, const char* b, unsigned flags) {
    const std::string old = at(from, a), now = at(to, b);
    return int(guard(
        'r', now.c_str(), [&] { return syscall(SYS_renameat2, from, a, to, b, flags); },
        [&] { record_path('r', old, now, -1, long(flags)); }));
}
int renameat(int from, const char* a, int to, const char* b) { return renameat2(from, a, to, b, 0); }
int rename(const char* a, const char* b) { return renameat2(AT_FDCWD, a, AT_FDCWD, b, 0); }
int linkat(int from, const char* a, int to, const char* b, int flags) {
    const std::string old = at(from, a), now = at(to, b);
    return int(guard(
        'k', now.c_str(), [&] { return syscall(SYS_linkat, from, a, to, b, flags); }, [&] { record_path('k', old, now); }));
}
int link(const char* a, const char* b) { return linkat(AT_FDCWD, a, AT_FDCWD, b, 0); }
int unlinkat(int folder, const char* path, int flags) {
    const std::string full = at(folder, path);
    return int(guard(
        'u', full.c_str(), [&] { return syscall(SYS_unlinkat, folder, path, flags); }, [&] { record_path('u', full); }));
}
int unlink(const char* path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char* path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) {
    struct stat info {};
    return unlinkat(AT_FDCWD, path, lstat(path, &info) == 0 && S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0);
}
int mkdirat(int folder, const char* path, mode_t mode) {
    const std::string full = at(folder, path);
    return int(guard(
        'm', full.c_str(), [&] { return syscall(SYS_mkdirat, folder, path, mode); }, [&] { record_path('m', full); }));
}
int mkdir(const char* path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

// Calls that powercut.py does not model. The programs do not use them.
#define SPECIAL(symbol, parameters, path, ...)                                                                 \
    int symbol parameters {                                                                                    \
        return int(guard(                                                                                      \
            'k', path, [&] { return next<int parameters>(#symbol)(__VA_ARGS__); }, [] { unknown(#symbol); })); \
    }
SPECIAL(symlink, (const char* to, const char* path), path, to, path)
SPECIAL(symlinkat, (const char* to, int folder, const char* path), at(folder, path).c_str(), to, folder, path)
SPECIAL(mknod, (const char* path, mode_t mode, dev_t device), path, path, mode, device)
SPECIAL(mknodat, (int folder, const char* path, mode_t mode, dev_t device), at(folder, path).c_str(), folder, path, mode, device)
SPECIAL(mkfifo, (const char* path, mode_t mode), path, path, mode)
SPECIAL(mkfifoat, (int folder, const char* path, mode_t mode), at(folder, path).c_str(), folder, path, mode)

// These calls change neither names nor contents, so powercut.py ignores them.
#define ATTRIBUTE(letter, symbol, parameters, path, ...)                                       \
    int symbol parameters {                                                                    \
        return int(guard(                                                                      \
            letter, path, [&] { return next<int parameters>(#symbol)(__VA_ARGS__); }, [] {})); \
    }
ATTRIBUTE('l', flock, (int descriptor, int operation), name(descriptor), descriptor, operation)
ATTRIBUTE('h', chmod, (const char* path, mode_t mode), path, path, mode)
ATTRIBUTE('h', lchmod, (const char* path, mode_t mode), path, path, mode)
ATTRIBUTE('h', fchmod, (int descriptor, mode_t mode), name(descriptor), descriptor, mode)
ATTRIBUTE('h', fchmodat, (int folder, const char* path, mode_t mode, int flags), at(folder, path).c_str(), folder, path, mode,
          flags)
ATTRIBUTE('h', chown, (const char* path, uid_t user, gid_t group), path, path, user, group)
ATTRIBUTE('h', lchown, (const char* path, uid_t user, gid_t group), path, path, user, group)
ATTRIBUTE('h', fchown, (int descriptor, uid_t user, gid_t group), name(descriptor), descriptor, user, group)
ATTRIBUTE('h', fchownat, (int folder, const char* path, uid_t user, gid_t group, int flags), at(folder, path).c_str(), folder,
          path, user, group, flags)
ATTRIBUTE('h', utime, (const char* path, const utimbuf* times), path, path, times)
ATTRIBUTE('h', utimes, (const char* path, const timeval* times), path, path, times)
ATTRIBUTE('h', lutimes, (const char* path, const timeval* times), path, path, times)
ATTRIBUTE('h', futimes, (int descriptor, const timeval* times), name(descriptor), descriptor, times)
ATTRIBUTE('h', futimesat, (int folder, const char* path, const timeval* times), at(folder, path).c_str(), folder, path, times)
ATTRIBUTE('h', utimensat, (int folder, const char* path, const timespec* times, int flags), at(folder, path).c_str(), folder,
          path, times, flags)
ATTRIBUTE('h', futimens, (int descriptor, const timespec* times), name(descriptor), descriptor, times)
ATTRIBUTE('h', setxattr, (const char* path, const char* key, const void* value, size_t size, int flags), path, path, key, value,
          size, flags)
ATTRIBUTE('h', lsetxattr, (const char* path, const char* key, const void* value, size_t size, int flags), path, path, key, value,
          size, flags)
ATTRIBUTE('h', fsetxattr, (int descriptor, const char* key, const void* value, size_t size, int flags), name(descriptor),
          descriptor, key, value, size, flags)
ATTRIBUTE('h', removexattr, (const char* path, const char* key), path, path, key)
ATTRIBUTE('h', lremovexattr, (const char* path, const char* key), path, path, key)
ATTRIBUTE('h', fremovexattr, (int descriptor, const char* key), name(descriptor), descriptor, key)

}  // extern "C"
