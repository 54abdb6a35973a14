// Fuzz targets: each reader and builder must accept any bytes or reject them with an Error. Anything else (another exception, a
// signal, a sanitizer report, much time or memory) is a fault.
#pragma once
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace gannet::fuzz {

struct Target {
    const char* name;
    void (*run)(const std::string& bytes);
};
const std::vector<Target>& targets();

// Writes the bytes to a file NAME in a folder of this process, in memory. Returns the path.
std::string file_of(const std::string& bytes, const std::string& name);

// Fails with the message `what` if a condition does not hold.
inline void hold(bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
}

void run_model(const std::string& bytes);
void run_settings(const std::string& bytes);
void run_json(const std::string& bytes);
void run_expression(const std::string& bytes);
void run_tune(const std::string& bytes);
void run_net(const std::string& bytes);
void run_safetensors(const std::string& bytes);
void run_checkpoint(const std::string& bytes);
void run_restore(const std::string& bytes);
void run_log(const std::string& bytes);
void run_history(const std::string& bytes);
void run_plots(const std::string& bytes);
void run_archive(const std::string& bytes);
void run_image(const std::string& bytes);
void run_set(const std::string& bytes);
void run_cache(const std::string& bytes);
void run_idx(const std::string& bytes);
void run_npy(const std::string& bytes);

}  // namespace gannet::fuzz
