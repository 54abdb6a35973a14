#include "tests/fuzz/target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace gannet::fuzz {
namespace {

namespace fs = std::filesystem;

// Created at the first use, removed when the process ends.
struct Folder {
    std::string path;
    pid_t owner = ::getpid();
    Folder() {
        const char* memory = fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
        path = std::string(memory) + "/gannet-fuzz-" + std::to_string(owner);
        fs::create_directories(path);
    }
    ~Folder() {
        std::error_code error;
        if (::getpid() == owner) fs::remove_all(path, error);
    }
};

}  // namespace

std::string file_of(const std::string& bytes, const std::string& name) {
    static const Folder folder;
    const std::string path = folder.path + "/" + name;
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0 || ::write(file, bytes.data(), bytes.size()) != ssize_t(bytes.size())) std::abort();
    ::close(file);
    return path;
}

const std::vector<Target>& targets() {
    static const std::vector<Target> all = {
        {"model", run_model},
        {"settings", run_settings},
        {"json", run_json},
        {"expression", run_expression},
        {"tune", run_tune},
        {"net", run_net},
        {"safetensors", run_safetensors},
        {"checkpoint", run_checkpoint},
        {"restore", run_restore},
        {"log", run_log},
        {"history", run_history},
        {"plots", run_plots},
        {"archive", run_archive},
        {"image", run_image},
        {"set", run_set},
        {"cache", run_cache},
        {"idx", run_idx},
        {"npy", run_npy},
    };
    return all;
}

}  // namespace gannet::fuzz
