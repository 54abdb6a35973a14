// Why the system refused.
#pragma once
#include <cerrno>
#include <new>
#include <string>
#include <system_error>

namespace gannet {

// The text of an error number. But memory that ran out is no fault of a file or folder: then it throws std::bad_alloc.
inline std::string reason_of(int error) {
    if (error == ENOMEM) throw std::bad_alloc();
    return std::generic_category().message(error);
}

}  // namespace gannet
