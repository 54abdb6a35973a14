// The exception of all errors: what failed, where, and what to do.
#pragma once
#include <stdexcept>
#include <string>

namespace gannet {

// Prints as `WHAT (WHERE): WHAT TO DO`; programs put `gannet: ` before it and exit with status 1.
class Error : public std::runtime_error {
public:
    explicit Error(const std::string& what, const std::string& where = "", const std::string& to_do = "")
        : std::runtime_error(what + (where.empty() ? "" : " (" + where + ")") + (to_do.empty() ? "" : ": " + to_do)),
          what_(what),
          where_(where),
          to_do_(to_do) {}
    Error with_advice(const std::string& to_do) const { return Error(what_, where_, to_do); }
    Error also_at(const std::string& place) const { return Error(what_, (where_.empty() ? "" : where_ + ", ") + place, to_do_); }

private:
    std::string what_, where_, to_do_;
};

}  // namespace gannet
