#include "engine/run/interrupt.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

namespace gannet {
namespace {

volatile std::sig_atomic_t noted = 0;
volatile std::sig_atomic_t on_terminal = 0;

void note(int) {
    if (noted) ::_exit(130);
    noted = 1;
    const int saved = errno;
    // The first character ends the progress line, which only a terminal has.
    static const char text[] = "\ngannet: interrupted: finishing this step and saving (once more stops at once)\n";
    const std::size_t from = on_terminal ? 0 : 1;
    if (::write(2, text + from, sizeof text - 1 - from) < 0) {
    }
    errno = saved;
}

}  // namespace

void watch_interrupts() {
    on_terminal = ::isatty(2);
    struct sigaction action {};
    action.sa_handler = note;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return noted != 0; }
void clear_interrupt() { noted = 0; }

void ignore_write_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace gannet
