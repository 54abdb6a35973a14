#include "engine/run/run_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/owner.h"
#include "base/text.h"
#include "engine/train/checkpoint.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

const char* const action = "create the run's folder";
const std::string mark = ".gannet-";  // ".NAME.gannet-1f2e3d": the folder of a run that is not complete yet
constexpr std::size_t digits = 6;

bool is_incomplete(const std::string& name) {
    const std::size_t at = name.rfind(mark);
    return name[0] == '.' && at != std::string::npos && at > 0 && name.size() == at + mark.size() + digits &&
           name.find_first_not_of("0123456789abcdef", at + mark.size()) == std::string::npos;
}

void remove(const std::string& folder) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
}

// Left by programs that were killed while they made a run folder; those of living programs are locked.
void remove_dead_folders(const std::string& parent) {
    std::error_code error;
    for (fs::directory_iterator entry(parent, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code ignored;
        if (!is_incomplete(entry->path().filename().string()) || entry->is_symlink(ignored) || !entry->is_directory(ignored))
            continue;
        try {
            const std::optional<FolderLock> lock = FolderLock::take(entry->path().string());
            if (lock && lock->works()) remove(entry->path().string());
        } catch (const Error&) {  // of another user, or gone
        }
    }
}

// False if `to` exists: it is never replaced.
bool rename_to_new(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
    if (errno == EEXIST) return false;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) throw_file_error(action, to, errno);
    // For file systems without this kind of rename: only one of two programs can make the folder, and renaming replaces an empty
    // one.
    if (::mkdir(to.c_str(), 0777) != 0) {
        if (errno == EEXIST) return false;
        throw_file_error(action, to, errno);
    }
    if (::rename(from.c_str(), to.c_str()) == 0) return true;
    const int error = errno;
    ::rmdir(to.c_str());
    throw_file_error(action, to, error);
}

}  // namespace

bool RunFolder::is_run(const std::string& path) { return exists(path + "/config.json"); }

Error RunFolder::in_the_way(const std::string& path) {
    if (!is_folder(path))
        return Error(exists(path) ? "not a folder" : "a link to nothing", path, "choose another --out, or move it");
    if (!is_run(path))
        return Error("the folder exists and is not a run folder", path, "choose another --out, or move that folder");
    if (!FolderLock::take(path))
        return Error("another program is training this run", path, "wait for it, or choose another --out");
    if (!exists(path + "/checkpoint.safetensors"))
        return Error("the folder of the run exists already; it ended before its first checkpoint", path,
                     "choose another --out, or start it again with --resume " + path);
    return Error("the folder of the run exists already", path, "choose another --out, or resume that run with --resume " + path);
}

void RunFolder::check_place(const std::string& out, bool into_empty) {
    std::string path = without_slash(out);
    std::error_code error;
    if (!path.empty() && fs::exists(fs::symlink_status(path, error)) && !(into_empty && is_empty_folder(path)))
        throw in_the_way(path);
    while (!path.empty() && !exists(path)) path = parent_of(path) == path ? "" : parent_of(path);
    if (!path.empty() && !is_folder(path)) throw_file_error(action, out, ENOTDIR);
    if (!path.empty() && ::access(path.c_str(), W_OK | X_OK) != 0) throw_file_error(action, out, errno);
}

RunFolder RunFolder::temporary(const std::string& path) {
    std::random_device random;
    for (;;) {
        const std::string number = formatted("%06x", random() & 0xffffffU);
        const fs::path parent = parent_of(path);
        const std::string name = fs::path(path).filename().string().substr(0, 200);  // names have at most 255 bytes
        RunFolder run((parent / ("." + name + mark + number)).string());
        if (::mkdir(run.path_.c_str(), 0777) != 0) {
            if (errno == EEXIST) continue;
            throw_file_error(action, path, errno);
        }
        try {
            // Another program may have removed the folder as a dead temporary.
            if ((run.lock_ = FolderLock::take(run.path_)) && exists(run.path_)) return run;
        } catch (const Error&) {
            if (exists(run.path_)) throw;
        }
    }
}

void RunFolder::write_first_files(const std::string& config_json, const Fill& fill) const {
    make_folders(path_ + "/samples");
    atomic_write(config(), config_json);
    if (fill) fill(*this);
}

RunFolder RunFolder::create(const std::string& model, const std::string& out, const std::string& config_json,
                            const std::string& base, const Fill& fill) {
    const std::string path = out.empty() ? base + "/" + (model.empty() ? "run" : model) : without_slash(out);
    if (!out.empty() && exists(path)) throw in_the_way(path);
    const std::string parent = parent_of(path);
    make_folders(parent);
    remove_dead_folders(parent);
    RunFolder run = temporary(path);
    try {
        run.write_first_files(config_json, fill);
        std::string name = path;
        for (int64_t n = 2; !rename_to_new(run.path_, name); ++n) {
            if (!out.empty()) throw in_the_way(path);
            name = path + "-" + std::to_string(n);
        }
        run.path_ = name;
        sync_folder(parent);
    } catch (...) {
        remove(run.path_);
        throw;
    }
    return run;
}

// If the folder gets more than config.json, a complete folder replaces the empty one. Returns false if that is impossible, as for
// a mounted volume.
bool RunFolder::replace_empty(RunFolder& empty, const std::string& config_json, const Fill& fill) {
    struct stat info {};
    if (::access(parent_of(empty.path_).c_str(), W_OK) != 0 || ::stat(empty.path_.c_str(), &info) != 0) return false;
    remove_dead_folders(parent_of(empty.path_));
    RunFolder whole = temporary(empty.path_);
    try {
        whole.write_first_files(config_json, fill);
        if (const int folder = ::open(whole.path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); folder >= 0) {
            keep_owner_and_mode(folder, info);
            ::close(folder);
        }
        // Only an empty folder is replaced. The lock is released first, because NFS keeps an open file under another name.
        if (empty.lock_->on_file()) empty.lock_.reset();
        ::unlink((empty.path_ + "/" + FolderLock::file_name).c_str());
        if (::rename(whole.path_.c_str(), empty.path_.c_str()) == 0) {
            whole.path_ = empty.path_;
            empty = whole;
            sync_folder(parent_of(empty.path_));
            return true;
        }
        if (errno == ENOTEMPTY || errno == EEXIST) throw in_the_way(empty.path_);
        remove(whole.path_);
        if (!empty.lock_) empty.lock_empty();
        return false;
    } catch (...) {
        remove(whole.path_);
        throw;
    }
}

void RunFolder::lock_empty() {
    lock();
    if (is_empty_folder(path_)) return;
    lock_.reset();
    throw in_the_way(path_);
}

RunFolder RunFolder::create_inside(const std::string& path, const std::string& config_json, const Fill& fill) {
    RunFolder run(without_slash(path));
    run.lock_empty();
    if (fill && replace_empty(run, config_json, fill)) return run;
    if (fill) fill(run);
    atomic_write(run.config(), config_json);  // last, because it makes the folder a run folder
    return run;
}

RunFolder RunFolder::open(const std::string& path) {
    RunFolder run(without_slash(path));
    check_is_run(run.path_);
    return run;
}

void RunFolder::lock() {
    lock_ = FolderLock::take(path_);
    if (!lock_) throw Error("another program is training this run", path_, "wait for it, or stop it");
    for (const char* folder : {"", "/samples", "/plots"}) remove_dead_temporaries(path_ + folder);
}

std::string RunFolder::sample(int64_t step) const {
    return path_ + formatted("/samples/step_%06lld.png", static_cast<long long>(step));
}

void refuse_output_in_data(const DatasetOptions& data, const std::string& out, const std::string& what) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (!data.of_files() || !fs::is_directory(data.path, error)) return;  // data that cannot be read are not checked
    const std::string place = out.empty() ? "runs" : out;
    const fs::path folder = fs::canonical(data.path, error);
    fs::path run;
    if (!error) run = fs::absolute(place, error);
    if (!error) run = fs::weakly_canonical(run, error);
    if (error || std::mismatch(folder.begin(), folder.end(), run.begin(), run.end()).first != folder.end()) return;
    throw Error(what + " would be inside its data, " + printable(data.path), printable(place),
                out.empty() ? "name a folder outside the data with --out" : "choose an --out outside the data");
}

}  // namespace gannet
