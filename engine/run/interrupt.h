// The signals that request the end of a training: Ctrl-C, a closed terminal, a scheduler.
#pragma once
#include <exception>

namespace gannet {

// Ends a program with status 130 after it has saved its state.
class Interrupted : public std::exception {
public:
    const char* what() const noexcept override { return "interrupted"; }
};

// From now on SIGINT, SIGTERM, SIGHUP and SIGUSR1 are only recorded; a second SIGINT ends the program immediately with status
// 130. SIGINT and SIGHUP remain ignored if they were ignored before (nohup, a script's background job).
void watch_interrupts();
bool interrupted();
void clear_interrupt();

// Writing to a closed pipe, past the limit on file sizes or to the terminal of another job then returns an error or succeeds,
// instead of ending or stopping the program.
void ignore_write_signals();

// Whether a message can be written now: false if there is no reader any more, or if writing would block.
bool can_write(int descriptor);

}  // namespace gannet
