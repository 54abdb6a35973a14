// Ctrl-C and its relatives.
#pragma once
#include <exception>

namespace gannet {

// Ends a program with status 130 after it saved what it had to.
class Interrupted : public std::exception {
public:
    const char* what() const noexcept override { return "interrupted"; }
};

// From now on the first SIGINT or SIGTERM is only noted; the second ends the program at once with status 130.
void watch_interrupts();
bool interrupted();
void clear_interrupt();

// Writing to a closed pipe or past the limit on file sizes returns an error then, instead of killing the program.
void ignore_write_signals();

}  // namespace gannet
