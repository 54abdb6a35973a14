// The cache folder: its size, and which files are removed first.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "data/cache.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

struct Kept {
    std::string path;
    int64_t bytes;
    timespec used;   // since write_cache, or the last read_cache
    bool temporary;  // of write_cache
};

bool earlier(const timespec& a, const timespec& b) { return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec; }

// KEY.images and KEY.images.XXXXXX, the least recently used first. Other files are not touched.
std::vector<Kept> list(const std::string& folder, std::error_code& error) {
    std::vector<Kept> all;
    for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        constexpr std::size_t digits = 16, whole = digits + 7, with_suffix = whole + 7;
        if ((name.size() != whole && name.size() != with_suffix) || name.compare(digits, 7, ".images") != 0 ||
            name.find_first_not_of("0123456789abcdef") != digits || (name.size() > whole && name[whole] != '.'))
            continue;
        struct stat info {};
        if (::lstat(entry->path().c_str(), &info) != 0) {
            if (errno == ENOENT) continue;  // another program has removed it
            error = std::error_code(errno, std::generic_category());
            return {};
        }
        if (!S_ISREG(info.st_mode)) continue;
        all.push_back({entry->path().string(), int64_t(info.st_size), info.st_mtim, name.size() > whole});
    }
    std::sort(all.begin(), all.end(), [](const Kept& a, const Kept& b) { return earlier(a.used, b.used); });
    return all;
}

// Returns 0, EWOULDBLOCK if a program is reading or writing it, or another error number.
int remove(const Kept& kept) {
    const int file = ::open(kept.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return errno;
    const int error = ::flock(file, LOCK_EX | LOCK_NB) == 0 && ::unlink(kept.path.c_str()) == 0 ? 0 : errno;
    ::close(file);
    return error;
}

}  // namespace

std::string cache_folder() {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    if (cache && *cache == '/') return std::string(cache) + "/gannet";  // the standard wants others ignored
    const char* home = std::getenv("HOME");
    return home && *home ? std::string(home) + "/.cache/gannet" : "";
}

std::string cache_file(uint64_t key) {
    char name[32];
    std::snprintf(name, sizeof name, "/%016llx.images", static_cast<unsigned long long>(key));
    const std::string folder = cache_folder();
    return folder.empty() ? "" : folder + name;
}

int64_t cache_limit() {
    constexpr double usual = 20, most = 1e9;
    const char* text = std::getenv("GANNET_CACHE_GB");
    if (!text || !*text) return int64_t(usual * 1e9);
    double gigabytes = -1;
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, gigabytes);
    if (error != std::errc() || stop != end || !(gigabytes >= 0 && gigabytes <= most))
        throw Error("a cache of '" + printable(text) + "' gigabytes", "GANNET_CACHE_GB",
                    "give a number (0 disables the cache), or unset it");
    return int64_t(gigabytes * 1e9);
}

int make_room(const std::string& folder, int64_t more, int64_t limit) {
    std::error_code error;
    std::vector<Kept> all = list(folder, error);
    if (error) return error.value();
    std::erase_if(all, [](const Kept& kept) { return kept.temporary && remove(kept) == 0; });
    for (const Kept& kept : all) more += kept.bytes;
    for (const Kept& kept : all)
        if (more > limit && !kept.temporary && remove(kept) == 0) more -= kept.bytes;
    return 0;
}

Cleared clear_cache() {
    Cleared cleared;
    std::error_code error;
    const std::vector<Kept> all = list(cache_folder(), error);
    if (error && error != std::errc::no_such_file_or_directory)
        throw_file_error("list the folder", cache_folder(), error.value());
    std::string kept_file;
    int why = 0;
    for (const Kept& kept : all) {
        const int failed = remove(kept);
        if (failed == 0) ++cleared.files, cleared.bytes += kept.bytes;
        else if (failed == EWOULDBLOCK) ++cleared.used;
        else if (failed != ENOENT) kept_file = kept.path, why = failed;
    }
    if (why) throw_file_error("remove", kept_file, why);
    return cleared;
}

}  // namespace gannet
