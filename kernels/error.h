// Failure is loud and specific: what, where, both shapes, what to do.
#pragma once
#include <stdexcept>
#include <string>

namespace gannet {

// Prints as `WHAT (WHERE): WHAT TO DO`; programs put `gannet: ` before it and exit with status 1.
class Error : public std::runtime_error {
public:
    explicit Error(const std::string& what, const std::string& where = "", const std::string& to_do = "")
        : std::runtime_error(what + (where.empty() ? "" : " (" + where + ")") + (to_do.empty() ? "" : ": " + to_do)) {}
};

}  // namespace gannet
