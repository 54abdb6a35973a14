// Logs a program's calls and launches, and injects failures.
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>

#include "runtime.h"

namespace simt {
namespace {

std::mutex mutex;

std::FILE* log_file() {
    static std::FILE* file = [] {
        const char* name = std::getenv("SIMT_LOG");
        std::FILE* opened = name && *name ? std::fopen(name, "w") : nullptr;
        if (name && *name && !opened) {
            std::fprintf(stderr, "simt: SIMT_LOG: cannot write %s\n", name);
            std::exit(2);
        }
        return opened;
    }();
    return file;
}

// SIMT_FAIL=NAME:K:ERROR
struct Failure {
    std::string name;
    long number = 0;  // remaining calls of that name
    int error = 0;

    Failure() {
        const char* text = std::getenv("SIMT_FAIL");
        if (!text || !*text) return;
        char of[64] = "";
        if (std::sscanf(text, "%63[^:]:%ld:%d", of, &number, &error) == 3 && number > 0 && error > 0) {
            name = of;
            return;
        }
        std::fprintf(stderr, "simt: SIMT_FAIL: use NAME:K:ERROR, such as cudaMalloc:3:2, or any:K:ERROR\n");
        std::exit(2);
    }
};

thread_local std::string description;  // of the next launch

}  // namespace

bool runs_kernels() {
    static const bool runs = environment_number("SIMT_RUN", 1) != 0;
    return runs;
}

bool logs() { return log_file() != nullptr; }

void describe_launch(std::string text) { description = std::move(text); }
std::string take_description() { return std::exchange(description, {}); }

cudaError_t called(const char* name, const std::string& detail) {
    const std::lock_guard lock(mutex);
    if (std::FILE* file = log_file()) std::fprintf(file, "%s\t%zu\t%s\n", name, device_bytes_in_use(), detail.c_str());
    static Failure failure;
    if (failure.number == 0 || (failure.name != "any" && failure.name != name) || --failure.number > 0) return cudaSuccess;
    return cudaError_t(failure.error);
}

}  // namespace simt
