#include "engine/run/interrupt.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>

namespace gannet {
namespace {

volatile std::sig_atomic_t noted = 0, interrupts = 0, on_terminal = 0;

// Uses only functions that are safe in a signal handler.
void note(int signal) {
    if (signal == SIGINT && interrupts) ::_exit(130);
    if (signal == SIGINT) interrupts = 1;
    const int saved = errno;
    // The first character ends the progress line, which only a terminal has.
    const char* const text =
        signal == SIGINT ? "\ngannet: interrupted: finishing this step and saving (press Ctrl-C again to stop immediately)\n"
                         : "\ngannet: received a signal: finishing this step and saving\n";
    const std::size_t from = on_terminal ? 0 : 1;
    if ((signal == SIGINT || !noted) && can_write(2) && ::write(2, text + from, std::strlen(text) - from) < 0) {
    }
    noted = 1;
    errno = saved;
}

void watch(int signal, bool even_if_ignored) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN && !even_if_ignored) return;
    action = {};
    action.sa_handler = note;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
}

}  // namespace

void watch_interrupts() {
    on_terminal = ::isatty(2);
    watch(SIGINT, false);
    watch(SIGHUP, false);
    watch(SIGTERM, true);
    watch(SIGUSR1, true);  // Slurm's, with --signal=USR1
}

bool interrupted() { return noted != 0; }
void clear_interrupt() {
    noted = 0;
    interrupts = 0;
}

void ignore_write_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    std::signal(SIGTTOU, SIG_IGN);
}

bool can_write(int descriptor) {
    pollfd file{descriptor, POLLOUT, 0};
    return ::poll(&file, 1, 0) == 1 && file.revents == POLLOUT;
}

}  // namespace gannet
