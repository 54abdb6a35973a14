// Runs a target on files, each in a separate process limited to 1 s of processor time and 1 GB of address space:
// replay TARGET FILE|FOLDER... The last line is `N passed, N failed, N skipped`.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "tests/fuzz/target.h"

using namespace gannet;

namespace {

namespace fs = std::filesystem;

constexpr rlim_t seconds = 1, bytes = 1000000000;

[[noreturn]] void run(const fuzz::Target& target, const std::string& content) {
    [[maybe_unused]] const rlimit time{seconds, seconds + 1}, memory{bytes, bytes};
    const rlimit no_dumps{0, 0};
#ifndef __SANITIZE_ADDRESS__  // AddressSanitizer needs ten times as much
    ::setrlimit(RLIMIT_CPU, &time);
    ::setrlimit(RLIMIT_AS, &memory);
#endif
    ::setrlimit(RLIMIT_CORE, &no_dumps);
    ::alarm(60);  // for a process that blocks
    int status = 0;
    try {
        target.run(content);
    } catch (const Error& error) {
        if (std::strstr(error.what(), "out of memory")) {
            std::fprintf(stderr, "%s\n", error.what());
            status = 2;
        }
    } catch (const std::bad_alloc&) {
        std::fprintf(stderr, "out of memory\n");
        status = 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        status = 1;
    }
    std::fflush(stderr);
    std::exit(status);
}

// Runs the target in a child process. Returns the reason of a failure, or "".
std::string tried(const fuzz::Target& target, const std::string& content) {
    const pid_t child = ::fork();
    if (child < 0) return "cannot fork";
    if (child == 0) run(target, content);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        if (signal == SIGXCPU || signal == SIGKILL) return "takes more than 1 s";
        if (signal == SIGALRM) return "hangs";
        return std::string("ends with the signal ") + strsignal(signal);
    }
    return WEXITSTATUS(status) == 0   ? ""
           : WEXITSTATUS(status) == 2 ? "takes more than 1 GB"
                                      : "an exception that is not an Error";
}

}  // namespace

int main(int argc, char** argv) {
    const auto& all = fuzz::targets();
    const auto target =
        std::find_if(all.begin(), all.end(), [&](const auto& t) { return argc > 1 && !std::strcmp(t.name, argv[1]); });
    if (target == all.end()) {
        for (const fuzz::Target& t : all) std::printf("%s\n", t.name);
        return argc > 1;
    }
    std::vector<std::string> files;
    for (int i = 2; i < argc; ++i) {
        if (!fs::is_directory(argv[i])) files.push_back(argv[i]);
        else
            for (const auto& entry : fs::recursive_directory_iterator(argv[i]))
                if (entry.is_regular_file()) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    fuzz::file_of("", "first");  // creates the folder in this process, which removes it even if a child crashes
    int failed = 0;
    for (const std::string& file : files) {
        std::ifstream in(file, std::ios::binary);
        const std::string content((std::istreambuf_iterator<char>(in)), {});
        const std::string why = tried(*target, content);
        if (why.empty()) continue;
        ++failed;
        std::printf("FAILED: %s, %s: %s\n", target->name, file.c_str(), why.c_str());
        std::fflush(stdout);
    }
    std::printf("%d passed, %d failed, 0 skipped\n", int(files.size()) - failed, failed);
    return failed > 0;
}
