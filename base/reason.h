// Reasons of failed system calls.
#pragma once
#include <cerrno>
#include <new>
#include <string>
#include <system_error>

namespace gannet {

// The text of an error number. Throws std::bad_alloc if memory ran out: that is not an error of a file or folder.
inline std::string reason_of(int error) {
    if (error == ENOMEM) throw std::bad_alloc();
    return std::generic_category().message(error);
}

}  // namespace gannet
