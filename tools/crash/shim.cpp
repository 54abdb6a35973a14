// Injects faults into system calls: a library for LD_PRELOAD that counts the calls of a program that change files and makes one
// of them fail. tools/crash/crash.py runs programs with it. `make crash` builds it; it is not part of the programs.
// tests/test_crash_shim.py lists the functions of the C library that change files. Each of them that a program imports is wrapped
// here.
//
//   CRASH_CALLS    letters of the calls that count: o open for writing, w write, f fsync, r rename, u unlink or rmdir, m mkdir,
//                  t truncate, c close (of a file opened for writing), l flock, h chmod, owners, times and other attributes,
//                  k link, symbolic link and special file; x open for reading, R read. Default: all except x and R.
//   CRASH_AT       the number of the call that fails or ends the program, from 1
//   CRASH_DO       kill-before, kill-after, kill-middle (half of a write is done), fail, fail-on (later calls fail, too), short
//   CRASH_ERRNO    errno of a failing call
//   CRASH_LIST     a file that gets a line `LETTER PATH` for each counted call
//   CRASH_JOURNAL  a file that records the effect of each call, for tools/crash/powercut.py
#include "shim.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace shim {
namespace {

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
    // A high number, because the program may expect the lowest free number.
    static int output(const char* path) {
        if (!*path) return -1;
        const int low = int(syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
        const int high = int(syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, most_files));
        syscall(SYS_close, low);
        return high;
    }
};

Setup& setup() {
    static Setup setup;
    return setup;
}

}  // namespace

File* file(int descriptor) {
    static File files[most_files];
    return descriptor >= 0 && descriptor < most_files ? &files[descriptor] : nullptr;
}
bool written(int descriptor) { return file(descriptor) && file(descriptor)->written; }
const char* name(int descriptor) { return file(descriptor) ? file(descriptor)->path.c_str() : ""; }
bool counts(const std::string& path) {
    return (!path.starts_with("/dev/") || path.starts_with("/dev/shm/")) && !path.starts_with("/proc/") &&
           !path.starts_with("/sys/");
}
std::string at(int folder, const char* path) {
    if (!path) return name(folder);
    if (folder == AT_FDCWD || *path == '/') return path;
    return (file(folder) && !file(folder)->path.empty() ? file(folder)->path : "?") + "/" + path;
}
int opened(int descriptor, const std::string& path, int flags) {
    if (File* const f = file(descriptor)) *f = {path, (flags & O_ACCMODE) != O_RDONLY};
    if (descriptor >= 0) record_path('o', path, "", descriptor, flags);
    return descriptor;
}

void die() {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}
int error() { return setup().error; }
bool journaled() { return setup().journal >= 0; }

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

void record(char call, int descriptor, long number, const void* first, std::size_t first_size, const void* second,
            std::size_t second_size) {
    if (setup().journal < 0) return;
    std::string bytes(1, call);
    const long numbers[] = {descriptor, number, long(first_size), long(second_size)};
    bytes.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
    bytes.append(static_cast<const char*>(first), first_size);
    if (second_size) bytes.append(static_cast<const char*>(second), second_size);
    syscall(SYS_write, setup().journal, bytes.data(), bytes.size());
}
void record_path(char call, const std::string& path, const std::string& other, int descriptor, long number) {
    const int error = errno;
    record(call, descriptor, number, path.data(), path.size(), other.data(), other.size());
    errno = error;
}

}  // namespace shim
