#include "engine/run/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "engine/run/files.h"
#include "kernels/error.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

std::string without_slash(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

// mkdir is the one test for existence that two programs cannot both pass.
bool make_new_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0777) == 0) return true;
    if (errno != EEXIST) throw_file_error("create the run's folder", path, errno);
    return false;
}

}  // namespace

RunFolder RunFolder::create(const std::string& model, const std::string& out, const std::string& config_json,
                            const std::string& base) {
    std::string path = without_slash(out);
    if (!out.empty()) {
        const std::string above = fs::path(path).parent_path().string();
        if (!above.empty()) make_folders(above);
        if (!make_new_folder(path))
            throw exists(path + "/config.json") && !exists(path + "/checkpoint.safetensors")
                ? Error("the folder of a run exists already, which ended before its first checkpoint", path,
                        "remove it, or choose another --out")
            : exists(path + "/config.json")
                ? Error("the folder of the run exists already", path,
                        "choose another --out, or continue that run with --resume " + path)
                : Error("--out exists already, and is not the folder of a run", path, "choose another --out, or move it away");
    } else {
        make_folders(base);
        const std::string first = base + "/" + (model.empty() ? "run" : model);
        path = first;
        for (int64_t n = 2; !make_new_folder(path); ++n) path = first + "-" + std::to_string(n);
    }
    RunFolder run(path);
    try {
        make_folders(path + "/samples");
        atomic_write(run.config(), config_json);
    } catch (...) {
        // All of it was made above.
        ::unlink(run.config().c_str());
        ::rmdir((path + "/samples").c_str());
        ::rmdir(path.c_str());
        throw;
    }
    return run;
}

RunFolder RunFolder::open(const std::string& path) {
    RunFolder run(without_slash(path));
    if (!exists(run.path_)) throw Error("no such run", run.path_, "give the folder of a run, as runs/MODEL");
    if (!exists(run.config()))
        throw Error("not the folder of a run: it has no config.json", run.path_, "give the folder of a run, as runs/MODEL");
    return run;
}

void RunFolder::lock() {
    const int folder = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) throw_file_error("open", path_, errno);
    const auto close = [](const int* descriptor) {
        ::close(*descriptor);
        delete descriptor;
    };
    lock_ = std::shared_ptr<const int>(new int(folder), close);
    if (::flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)  // a file system without locks is no reason to stop
        throw Error("another program is training this run", path_, "wait for it, or stop it");
}

std::string RunFolder::sample(int64_t step) const {
    char name[48];
    std::snprintf(name, sizeof name, "/samples/step_%06lld.png", static_cast<long long>(step));
    return path_ + name;
}

std::string find_checkpoint(const std::string& run_or_file) {
    if (!is_folder(run_or_file)) {
        if (!exists(run_or_file))
            throw Error("no such run or checkpoint", run_or_file, "give the folder of a run or a .safetensors file");
        return run_or_file;
    }
    const std::string file = RunFolder::open(run_or_file).checkpoint();
    if (!exists(file)) throw Error("the run has no checkpoint yet", file, "train it anew, with another --out");
    return file;
}

}  // namespace gannet
