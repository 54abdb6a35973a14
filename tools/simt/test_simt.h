// Helpers of the shim's tests: device memory, environment variables, output of a failing launch.
#pragma once
#include <cuda_runtime.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"

namespace simt_test {

template <class T>
struct Device {
    T* data = nullptr;
    std::size_t size;
    explicit Device(std::size_t n) : size(n) { cudaMalloc(&data, n * sizeof(T)); }
    explicit Device(const std::vector<T>& values) : Device(values.size()) { set(values); }
    ~Device() { cudaFree(data); }
    Device(const Device&) = delete;
    void set(const std::vector<T>& values) const {
        cudaMemcpy(data, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice);
    }
    std::vector<T> get() const {
        std::vector<T> values(size);
        cudaMemcpy(values.data(), data, size * sizeof(T), cudaMemcpyDeviceToHost);
        return values;
    }
};

inline const gannet::Execution legacy_stream;  // the null stream

// Sets an environment variable for its lifetime.
struct Environment {
    std::string name, before;
    bool was_set;
    Environment(const char* variable, const char* value) : name(variable), was_set(std::getenv(variable)) {
        if (was_set) before = std::getenv(variable);
        setenv(variable, value, 1);
    }
    ~Environment() {
        if (was_set) setenv(name.c_str(), before.c_str(), 1);
        else unsetenv(name.c_str());
    }
    Environment(const Environment&) = delete;
};

// Returns the stderr output of f if it throws, otherwise "".
template <class F>
std::string failure(F f) {
    const Environment order("SIMT_ORDER", "forward");
    std::FILE* file = std::tmpfile();
    const int before = dup(2);
    dup2(fileno(file), 2);
    bool failed = false;
    try {
        f();
    } catch (const gannet::Error&) {
        failed = true;
    }
    dup2(before, 2);
    close(before);
    std::string text(std::size_t(std::ftell(file)), ' ');
    std::fseek(file, 0, SEEK_END);
    text.resize(std::size_t(std::ftell(file)));
    std::rewind(file);
    const std::size_t read = std::fread(text.data(), 1, text.size(), file);
    std::fclose(file);
    text.resize(read);
    return failed ? text : "";
}

// Whether a process that calls f exits with status 0. A sanitizer ends it with another status if it finds an error.
template <class F>
bool survives(F f) {
    const pid_t child = fork();
    if (child == 0) {
        if (!std::freopen("/dev/null", "w", stderr)) _exit(2);
        f();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace simt_test
