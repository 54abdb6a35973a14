// Faults at system calls: a library for LD_PRELOAD that counts the calls of a program that change files, and makes one of them
// go wrong. tools/crash/crash.py runs programs under it. Built by `make crash`; it is no part of the programs.
//
//   CRASH_CALLS    letters of the calls that count: o open for writing, w write, f fsync, r rename, u unlink or rmdir, m mkdir,
//                  t truncate, c close (of a file opened for writing), l flock, h chmod, k link; x open for reading, R read.
//                  All but x and R unless given.
//   CRASH_AT       the number of the call to strike, from 1
//   CRASH_DO       kill-before, kill-after, kill-middle (half of a write is done), fail, fail-on (all later ones too), short
//   CRASH_ERRNO    what a failing call says
//   CRASH_LIST     a file that gets a line `LETTER PATH` for each call that counts
//   CRASH_JOURNAL  a file that records what each call did, for tools/crash/powercut.py
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>

namespace {

enum class Fate { pass, fail, half, kill_after, kill_middle };

constexpr int most_files = 1024;

struct Setup {
    std::string calls = "owfrumtclhk", what;
    long at = -1;
    int error = ENOSPC, list = -1, journal = -1;

    Setup() {
        const auto text = [](const char* name) { return std::getenv(name) ? std::getenv(name) : ""; };
        if (*text("CRASH_CALLS")) calls = text("CRASH_CALLS");
        what = text("CRASH_DO");
        if (*text("CRASH_AT")) at = std::atol(text("CRASH_AT"));
        if (*text("CRASH_ERRNO")) error = std::atoi(text("CRASH_ERRNO"));
        list = output(text("CRASH_LIST"));
        journal = output(text("CRASH_JOURNAL"));
    }
    // Out of the way of the program, which may expect the lowest free number.
    static int output(const char* path) {
        if (!*path) return -1;
        const int low = int(syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
        const int high = int(syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, most_files));
        syscall(SYS_close, low);
        return high;
    }
};

struct File {
    std::string path;
    bool written = false;  // opened for writing
};

Setup& setup() {
    static Setup setup;
    return setup;
}
File* file(int descriptor) {
    static File files[most_files];
    return descriptor >= 0 && descriptor < most_files ? &files[descriptor] : nullptr;
}
bool written(int descriptor) { return file(descriptor) && file(descriptor)->written; }
const char* name(int descriptor) { return file(descriptor) ? file(descriptor)->path.c_str() : ""; }

[[noreturn]] void die() {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

Fate fate(char call, const char* path) {
    static std::atomic<long> count{0};
    const Setup& s = setup();
    if (s.calls.find(call) == std::string::npos) return Fate::pass;
    const long now = ++count;
    if (s.list >= 0) {
        const std::string line = std::string(1, call) + " " + path + "\n";
        syscall(SYS_write, s.list, line.data(), line.size());
    }
    if (now < s.at || s.at < 0) return Fate::pass;
    if (s.what == "fail-on") return Fate::fail;
    if (now > s.at) return Fate::pass;
    if (s.what == "kill-before") die();
    return s.what == "fail"          ? Fate::fail
           : s.what == "short"       ? Fate::half
           : s.what == "kill-middle" ? Fate::kill_middle
           : s.what == "kill-after"  ? Fate::kill_after
                                     : Fate::pass;
}

// A record: letter, descriptor, a number, the lengths of two byte strings, and the strings.
void record(char call, int descriptor, long number, const void* first, std::size_t first_size, const void* second = nullptr,
            std::size_t second_size = 0) {
    if (setup().journal < 0) return;
    std::string bytes(1, call);
    const long numbers[] = {descriptor, number, long(first_size), long(second_size)};
    bytes.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
    bytes.append(static_cast<const char*>(first), first_size);
    if (second_size) bytes.append(static_cast<const char*>(second), second_size);
    syscall(SYS_write, setup().journal, bytes.data(), bytes.size());
}
void record_path(char call, const std::string& path, const std::string& other = "", int descriptor = -1, long number = 0) {
    const int error = errno;
    record(call, descriptor, number, path.data(), path.size(), other.data(), other.size());
    errno = error;
}

// The path that a call names by a folder's descriptor.
std::string at(int folder, const char* path) {
    if (folder == AT_FDCWD || *path == '/') return path;
    return (file(folder) && !file(folder)->path.empty() ? file(folder)->path : "?") + "/" + path;
}

// A call that has only two outcomes.
template <class Real, class Record>
int guard(char call, const char* path, Real real, Record recorded) {
    const Fate f = fate(call, path);
    if (f == Fate::fail) {
        errno = setup().error;
        return -1;
    }
    const int result = int(real());
    if (result >= 0) recorded();
    if (f == Fate::kill_after || f == Fate::kill_middle) die();
    return result;
}

int opened(int descriptor, const std::string& path, int flags) {
    if (File* const f = file(descriptor)) *f = {path, (flags & O_ACCMODE) != O_RDONLY};
    if (descriptor >= 0) record_path('o', path, "", descriptor, flags);
    return descriptor;
}
bool counts(const std::string& path) {
    return !path.starts_with("/dev/") && !path.starts_with("/proc/") && !path.starts_with("/sys/");
}

int open_file(int folder, const char* path, int flags, mode_t mode) {
    const std::string full = at(folder, path);
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    const auto real = [&] { return int(syscall(SYS_openat, folder, path, flags, mode)); };
    if (!counts(full)) return real();
    int descriptor = -1;
    return guard(
        writes ? 'o' : 'x', full.c_str(), [&] { return descriptor = real(); }, [&] { opened(descriptor, full, flags); });
}

template <class Function>
Function* next(const char* symbol) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, symbol));
}

int made(int descriptor, char* path) {
    if (descriptor >= 0) opened(descriptor, path, O_RDWR | O_CREAT | O_EXCL);
    return descriptor;
}

}  // namespace

#define MODE                             \
    mode_t mode = 0;                     \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest;                    \
        va_start(rest, flags);           \
        mode = va_arg(rest, mode_t);     \
        va_end(rest);                    \
    }

extern "C" {

int open(const char* path, int flags, ...) { MODE return open_file(AT_FDCWD, path, flags, mode); }
int open64(const char* path, int flags, ...) { MODE return open_file(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char* path, int flags, ...) { MODE return open_file(folder, path, flags, mode); }
int openat64(int folder, const char* path, int flags, ...) { MODE return open_file(folder, path, flags, mode); }
int mkstemp(char* path) {
    return guard(
        'o', path, [&] { return made(next<int(char*)>("mkstemp")(path), path); }, [] {});
}
int mkostemp(char* path, int flags) {
    return guard(
        'o', path, [&] { return made(next<int(char*, int)>("mkostemp")(path, flags), path); }, [] {});
}
char* mkdtemp(char* path) {
    char* result = nullptr;
    guard(
        'm', path, [&] { return (result = next<char*(char*)>("mkdtemp")(path)) ? 0 : -1; }, [&] { record_path('m', path); });
    return result;
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
    const auto real = [&](size_t n) {
        const ssize_t done = syscall(SYS_write, descriptor, bytes, n);
        if (done > 0 && setup().journal >= 0 && written(descriptor))
            record('w', descriptor, lseek(descriptor, 0, SEEK_CUR) - done, bytes, std::size_t(done));
        return done;
    };
    const Fate f = written(descriptor) ? fate('w', name(descriptor)) : Fate::pass;
    if (f == Fate::fail) {
        errno = setup().error;
        return -1;
    }
    const ssize_t done = real(f == Fate::half || f == Fate::kill_middle ? std::max<size_t>(1, count / 2) : count);
    if (f == Fate::kill_after || f == Fate::kill_middle) die();
    return done;
}
ssize_t writev(int descriptor, const iovec* parts, int count) {
    if (!written(descriptor)) return syscall(SYS_writev, descriptor, parts, count);
    std::string all;
    for (int i = 0; i < count; ++i) all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    return write(descriptor, all.data(), all.size());
}
ssize_t read(int descriptor, void* bytes, size_t count) {
    if (file(descriptor) && !file(descriptor)->path.empty() && fate('R', name(descriptor)) == Fate::fail) {
        errno = setup().error;
        return -1;
    }
    return syscall(SYS_read, descriptor, bytes, count);
}
FILE* fopen(const char* path, const char* mode) {
    const std::string how = mode;
    if (counts(path) && fate(how.find_first_of("wa+") == std::string::npos ? 'x' : 'o', path) == Fate::fail) {
        errno = setup().error;
        return nullptr;
    }
    return next<FILE*(const char*, const char*)>("fopen")(path, mode);
}
FILE* fopen64(const char* path, const char* mode) { return fopen(path, mode); }
size_t fread(void* bytes, size_t size, size_t count, FILE* stream) {
    if (fate('R', "") == Fate::fail) {
        stream->_flags |= 0x20;  // glibc's mark of an error, which ferror() asks for
        errno = setup().error;
        return 0;
    }
    return next<size_t(void*, size_t, size_t, FILE*)>("fread")(bytes, size, count, stream);
}
size_t fwrite(const void* bytes, size_t size, size_t count, FILE* stream) {
    const auto real = next<size_t(const void*, size_t, size_t, FILE*)>("fwrite");
    const Fate f = written(fileno(stream)) ? fate('w', name(fileno(stream))) : Fate::pass;
    if (f == Fate::fail) {
        errno = setup().error;
        return 0;
    }
    if (setup().journal >= 0 && written(fileno(stream))) {
        fflush(stream);
        const off_t before = lseek(fileno(stream), 0, SEEK_CUR);
        const size_t done = real(bytes, size, count, stream);
        fflush(stream);
        record('w', fileno(stream), before, bytes, size * done);
        return done;
    }
    if (f == Fate::pass || f == Fate::half) return real(bytes, size, count, stream);
    real(bytes, f == Fate::kill_middle ? size * count / 2 : size * count, 1, stream);
    fflush(stream);
    die();
}

int fsync(int descriptor) {
    return guard(
        'f', name(descriptor), [&] { return syscall(SYS_fsync, descriptor); }, [&] { record_path('f', "", "", descriptor); });
}
int fdatasync(int descriptor) { return fsync(descriptor); }
int flock(int descriptor, int operation) {
    return guard(
        'l', name(descriptor), [&] { return syscall(SYS_flock, descriptor, operation); }, [] {});
}
int fchmod(int descriptor, mode_t mode) {
    return guard(
        'h', name(descriptor), [&] { return syscall(SYS_fchmod, descriptor, mode); }, [] {});
}
int chmod(const char* path, mode_t mode) {
    return guard(
        'h', path, [&] { return syscall(SYS_fchmodat, AT_FDCWD, path, mode); }, [] {});
}
int ftruncate(int descriptor, off_t length) {
    return guard(
        't', name(descriptor), [&] { return syscall(SYS_ftruncate, descriptor, length); },
        [&] { record_path('t', "", "", descriptor, length); });
}
int ftruncate64(int descriptor, off_t length) { return ftruncate(descriptor, length); }
int truncate(const char* path, off_t length) {
    return guard(
        't', path, [&] { return syscall(SYS_truncate, path, length); }, [&] { record_path('t', path, "", -1, length); });
}
int truncate64(const char* path, off_t length) { return truncate(path, length); }
int close(int descriptor) {
    if (!file(descriptor) || file(descriptor)->path.empty()) return int(syscall(SYS_close, descriptor));
    const File f = *file(descriptor);
    *file(descriptor) = {};
    const auto real = [&] { return int(syscall(SYS_close, descriptor)); };
    record_path('c', "", "", descriptor);
    if (!f.written) return real();
    const Fate now = fate('c', f.path.c_str());
    const int result = real();  // also where it fails: Linux has closed it then
    if (now == Fate::kill_after || now == Fate::kill_middle) die();
    if (now != Fate::fail) return result;
    errno = setup().error;
    return -1;
}

int renameat2(int from, const char* a, int to, const char* b, unsigned flags) {
    const std::string old = at(from, a), now = at(to, b);
    return guard(
        'r', now.c_str(), [&] { return syscall(SYS_renameat2, from, a, to, b, flags); },
        [&] { record_path('r', old, now, -1, long(flags)); });
}
int renameat(int from, const char* a, int to, const char* b) { return renameat2(from, a, to, b, 0); }
int rename(const char* a, const char* b) { return renameat2(AT_FDCWD, a, AT_FDCWD, b, 0); }
int linkat(int from, const char* a, int to, const char* b, int flags) {
    const std::string old = at(from, a), now = at(to, b);
    return guard(
        'k', now.c_str(), [&] { return syscall(SYS_linkat, from, a, to, b, flags); }, [&] { record_path('k', old, now); });
}
int link(const char* a, const char* b) { return linkat(AT_FDCWD, a, AT_FDCWD, b, 0); }
int unlinkat(int folder, const char* path, int flags) {
    const std::string full = at(folder, path);
    return guard(
        'u', full.c_str(), [&] { return syscall(SYS_unlinkat, folder, path, flags); }, [&] { record_path('u', full); });
}
int unlink(const char* path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char* path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) {
    struct stat info {};
    return unlinkat(AT_FDCWD, path, lstat(path, &info) == 0 && S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0);
}
int mkdirat(int folder, const char* path, mode_t mode) {
    const std::string full = at(folder, path);
    return guard(
        'm', full.c_str(), [&] { return syscall(SYS_mkdirat, folder, path, mode); }, [&] { record_path('m', full); });
}
int mkdir(const char* path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

}  // extern "C"
