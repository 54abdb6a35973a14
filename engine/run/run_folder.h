// The folder of one run, and what is where in it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace gannet {

class RunFolder {
public:
    // A new folder: `out` if it is given, else runs/MODEL, runs/MODEL-2, ...: the first that does not exist. Two programs
    // started at once get two folders. Throws Error if `out` exists or nothing can be written there; then no folder is left.
    static RunFolder create(const std::string& model, const std::string& out, const std::string& config_json,
                            const std::string& base = "runs");
    // One that exists. Throws Error unless it holds a config.json.
    static RunFolder open(const std::string& path);

    // Keeps other programs from writing this run as long as this object or a copy of it lives. Throws Error if one does.
    void lock();

    const std::string& path() const { return path_; }
    std::string config() const { return path_ + "/config.json"; }
    std::string log() const { return path_ + "/log.jsonl"; }
    std::string checkpoint() const { return path_ + "/checkpoint.safetensors"; }
    std::string sample(int64_t step) const;  // samples/step_000000.png
    std::string reals() const { return path_ + "/samples/reals.png"; }
    std::string film() const { return path_ + "/samples.gif"; }
    std::string report() const { return path_ + "/report.html"; }

private:
    explicit RunFolder(std::string path) : path_(std::move(path)) {}
    std::string path_;
    std::shared_ptr<const int> lock_;  // the folder's descriptor
};

// RUN or CHECKPOINT, as programs take it, to the checkpoint's path. Throws Error if there is none.
std::string find_checkpoint(const std::string& run_or_file);

}  // namespace gannet
