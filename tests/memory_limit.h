// Runs code with limited memory.
#pragma once
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <new>

// Sanitizers reserve a large address space.
#ifdef __SANITIZE_ADDRESS__
constexpr bool memory_can_be_limited = false;
#else
constexpr bool memory_can_be_limited = true;
#endif

// Whether `work` returns true in a separate process that may allocate `bytes` more than the current process has.
template <class Work>
bool succeeds_within(std::size_t bytes, Work work) {
    const pid_t child = ::fork();
    if (child == 0) {
        std::size_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        const rlim_t most = pages * std::size_t(::getpagesize()) + bytes;
        const rlimit limit{most, most};
        ::setrlimit(RLIMIT_AS, &limit);
        int status = 1;
        try {
            status = work() ? 0 : 2;
        } catch (const std::bad_alloc&) {
        }
        ::_exit(status);
    }
    int status = -1;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
