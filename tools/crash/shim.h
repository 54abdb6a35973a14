// What the faulty calls of tools/crash share: which call is struck, what is written down, and which descriptor is which file.
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
File* file(int descriptor);  // null for those that are not followed
bool written(int descriptor);
const char* name(int descriptor);
bool counts(const std::string& path);          // no device, nothing of /proc; work folders are in /dev/shm
std::string at(int folder, const char* path);  // the path that a call names by a folder's descriptor
int opened(int descriptor, const std::string& path, int flags);

[[noreturn]] void die();
int error();                             // what a failing call says
bool journaled();                        // whether record() writes
Fate fate(char call, const char* path);  // counts the call, and ends the program where it is to die before it

// A record: letter, descriptor, a number, the lengths of two byte strings, and the strings.
void record(char call, int descriptor, long number, const void* first, std::size_t first_size, const void* second = nullptr,
            std::size_t second_size = 0);
void record_path(char call, const std::string& path, const std::string& other = "", int descriptor = -1, long number = 0);
inline void unknown(const char* symbol) { record_path('!', symbol); }  // to the model of power cuts

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
