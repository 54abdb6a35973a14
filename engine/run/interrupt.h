// The signals that ask a training to end: Ctrl-C, a closed terminal, a scheduler.
#pragma once
#include <exception>

namespace gannet {

// Ends a program with status 130 after it saved what it had to.
class Interrupted : public std::exception {
public:
    const char* what() const noexcept override { return "interrupted"; }
};

// From now on SIGINT, SIGTERM, SIGHUP and SIGUSR1 are only noted; a second SIGINT ends the program at once with status 130.
// SIGINT and SIGHUP stay ignored where they were ignored before (nohup, a script's background job).
void watch_interrupts();
bool interrupted();
void clear_interrupt();

// Writing to a closed pipe, past the limit on file sizes or to the terminal of another job returns an error or succeeds
// then, instead of ending or stopping the program.
void ignore_write_signals();

// Whether a message can be written now: false where nobody reads it any more, or where writing would wait for the reader.
bool can_write(int descriptor);

}  // namespace gannet
