#include "engine/run/loading.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "data/text.h"
#include "kernels/error.h"

namespace gannet {
namespace {

class Bar {
public:
    ~Bar() { clear(); }

    void update(const char* what, int64_t done, int64_t all) {
        const Clock::time_point now = Clock::now();
        if (std::chrono::duration<double>(now - last_).count() < (terminal_ ? 0.2 : 5.0)) return;
        last_ = now;
        constexpr int width = 30;
        const double share = double(done) / double(all);
        if (terminal_) {
            const std::string full(std::size_t(share * width), '=');
            std::fprintf(stderr, "\r%s [%-*s] %3.0f %%\033[K", what, width, full.c_str(), 100 * share);
        } else {
            std::fprintf(stderr, "%s: %.0f %%\n", what, 100 * share);
        }
        std::fflush(stderr);
        open_ = terminal_;
    }
    void say(const std::string& line) {
        clear();
        std::fprintf(stderr, "%s\n", line.c_str());
    }

private:
    using Clock = std::chrono::steady_clock;
    void clear() {
        if (open_) std::fputs("\r\033[K", stderr);
        open_ = false;
    }
    bool terminal_ = ::isatty(::fileno(stderr)) == 1, open_ = false;
    Clock::time_point last_ = Clock::now();
};

}  // namespace

Dataset load_and_show(DatasetOptions options) {
    Bar bar;
    options.progress = [&](const char* what, int64_t done, int64_t all) { bar.update(what, done, all); };
    options.say = [&](const std::string& line) { bar.say(line); };
    return load_dataset(options);
}

void refuse_output_in_data(const DatasetOptions& data, const std::string& out) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (data.set != "folder" || !fs::is_directory(data.path, error)) return;
    const std::string place = out.empty() ? "runs" : out;
    const fs::path folder = fs::canonical(data.path, error), run = fs::weakly_canonical(fs::absolute(place), error);
    if (error || std::mismatch(folder.begin(), folder.end(), run.begin(), run.end()).first != folder.end()) return;
    throw Error("the run's folder would be inside its data, " + printable(data.path), printable(place),
                out.empty() ? "name a folder outside the data with --out" : "choose an --out outside the data");
}

}  // namespace gannet
