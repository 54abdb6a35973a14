// Shared by the wrapped calls of tools/crash: selects the call that fails, writes the journal, and tracks open files.
#pragma once
#include <dlfcn.h>
#include <fcntl.h>

#include <cerrno>
#include <cstddef>
#include <string>

namespace shim {

enum class Fate { pass, fail, half, kill_after, kill_middle };

struct File {
    std::string path;
    bool written = false;  // opened for writing
};
File* file(int descriptor);  // null if the file is not tracked
bool written(int descriptor);
const char* name(int descriptor);
bool counts(const std::string& path);          // false for devices and files in /proc; work folders in /dev/shm count
std::string at(int folder, const char* path);  // resolves a path relative to a folder's descriptor
int opened(int descriptor, const std::string& path, int flags);

[[noreturn]] void die();
int error();                             // errno of a failing call
bool journaled();                        // whether record() writes
Fate fate(char call, const char* path);  // counts the call; with kill-before, ends the program

// A record: letter, descriptor, a number, the lengths of two byte strings, and the strings.
void record(char call, int descriptor, long number, const void* first, std::size_t first_size, const void* second = nullptr,
            std::size_t second_size = 0);
void record_path(char call, const std::string& path, const std::string& other = "", int descriptor = -1, long number = 0);
inline void unknown(const char* symbol) { record_path('!', symbol); }  // powercut.py does not model this call

// A call that has only two outcomes.
template <class Real, class Record>
long guard(char call, const char* path, Real real, Record recorded) {
    const Fate f = fate(call, path);
    if (f == Fate::fail) {
        errno = error();
        return -1;
    }
    const long result = long(real());
    if (result >= 0) recorded();
    if (f == Fate::kill_after || f == Fate::kill_middle) die();
    return result;
}

template <class Function>
Function* next(const char* symbol) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, symbol));
}

}  // namespace shim
