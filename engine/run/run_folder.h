// The folder of one run, and the paths in it.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/lock.h"
#include "data/dataset.h"
#include "engine/train/checkpoint.h"

namespace gannet {

class RunFolder {
public:
    // Writes more files into a new folder before it appears under its name.
    using Fill = std::function<void(const RunFolder&)>;

    // Makes a new folder: `out` if it is given, else the first of runs/MODEL, runs/MODEL-2, ... that does not exist. Two programs
    // started at the same time get two folders. The folder appears under its name with config.json inside, locked as by lock().
    // Throws Error if `out` exists or cannot be written; then no folder is left.
    static RunFolder create(const std::string& model, const std::string& out, const std::string& config_json,
                            const std::string& base = "runs", const Fill& fill = {});
    // The same in a folder that exists and is empty.
    static RunFolder create_inside(const std::string& path, const std::string& config_json, const Fill& fill = {});
    // Opens an existing folder. Throws Error unless it holds a config.json.
    static RunFolder open(const std::string& path);

    // Throws Error if a new run cannot be made at `path`, as far as that shows without making it. "" is any name.
    // `into_empty`: an empty folder is accepted.
    static void check_place(const std::string& path, bool into_empty);

    // Whether `path` holds a run, and the error if something else is there.
    static bool is_run(const std::string& path);
    static Error in_the_way(const std::string& path);

    // Prevents other programs from writing this run while this object or a copy of it lives. Throws Error if another program
    // holds the lock.
    void lock();
    bool locked() const { return lock_ && lock_->works(); }  // false also where the file system has no locks

    const std::string& path() const { return path_; }
    std::string config() const { return path_ + "/config.json"; }
    std::string log() const { return path_ + "/log.jsonl"; }
    std::string checkpoint() const { return path_ + "/" + checkpoint_name; }
    std::string sample(int64_t step) const;  // samples/step_000000.png
    std::string reals() const { return path_ + "/samples/reals.png"; }

private:
    explicit RunFolder(std::string path) : path_(std::move(path)) {}
    static bool replace_empty(RunFolder& empty, const std::string& config_json, const Fill& fill);
    void lock_empty();  // throws Error if it is not empty
    void write_first_files(const std::string& config_json, const Fill& fill) const;
    static RunFolder temporary(const std::string& path);
    std::string path_;
    std::optional<FolderLock> lock_;
};

// Throws Error, starting with `what`, if `out` is inside the folder of the data, where its pictures would become data of the next
// run; "": runs/.
void refuse_output_in_data(const DatasetOptions& data, const std::string& out, const std::string& what);

}  // namespace gannet
