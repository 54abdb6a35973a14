// The cache of decoded images: temporary files, the size limit, and the files that it trusts.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/cache.h"
#include "tests/image_sets.h"
#include "tests/nobody.h"
#include "tests/skip.h"
#include "tests/threads.h"

using namespace gannet;
namespace fs = std::filesystem;

namespace {

// An entry with 100,000 bytes of pixels.
Dataset hundred_kilobytes() { return {.count = 10, .H = 100, .W = 100, .C = 1, .pixels = std::vector<uint8_t>(100000, 7)}; }

void keep(uint64_t key) { CHECK(write_cache(cache_file(key), key, hundred_kilobytes(), {}) == ""); }

bool there(uint64_t key) {
    Dataset set;
    std::vector<std::string> lines;
    return read_cache(cache_file(key), key, set, lines) && set.pixels == hundred_kilobytes().pixels;
}

// Sets the time of last use to `seconds` ago.
void used_before(uint64_t key, int seconds) {
    fs::last_write_time(cache_file(key), fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
}

class Limit {
public:
    explicit Limit(const std::string& gigabytes) { ::setenv("GANNET_CACHE_GB", gigabytes.c_str(), 1); }
    ~Limit() { ::unsetenv("GANNET_CACHE_GB"); }
};

int renamed = 0, renamed_unlocked = 0;  // counts cache files

}  // namespace

// Replaces the function of the C library.
extern "C" int rename(const char* from, const char* to) noexcept {
    if (has(to, ".images")) {
        const int file = ::open(from, O_RDONLY | O_CLOEXEC);
        ++renamed;
        renamed_unlocked += ::flock(file, LOCK_EX | LOCK_NB) == 0;
        ::close(file);
    }
    return ::renameat(AT_FDCWD, from, AT_FDCWD, to);
}

TEST_CASE("cache: a file is locked until it is renamed") {
    const Pictures p;
    renamed = renamed_unlocked = 0;
    keep(1);
    CHECK(renamed == 1);
    CHECK(renamed_unlocked == 0);
    CHECK(there(1));
}

TEST_CASE("cache: the next writer removes files of stopped writers, but not files being written") {
    const Pictures p;
    keep(1);
    const std::string dead = cache_file(2) + ".aB3xYz", alive = cache_file(3) + ".qwerty",
                      other = cache_folder() + "/notes.images";
    for (const std::string& file : {dead, alive, other}) std::ofstream(file) << "half";
    const int writer = ::open(alive.c_str(), O_RDWR);
    REQUIRE(::flock(writer, LOCK_EX) == 0);
    keep(4);
    CHECK_FALSE(fs::exists(dead));
    CHECK(fs::exists(alive));
    CHECK(fs::exists(other));
    ::close(writer);
    keep(5);
    CHECK_FALSE(fs::exists(alive));
    CHECK(fs::exists(other));
    for (const uint64_t key : {1, 4, 5}) CHECK(there(key));
}

TEST_CASE("cache: the least recently used file is removed first, never one in use") {
    const Pictures p;
    const Limit limit("0.00035");  // three entries
    for (const uint64_t key : {1, 2, 3}) keep(key), used_before(key, int(100 - 10 * key));
    CHECK(there(1));  // the oldest, but now the most recently used
    keep(4);
    CHECK_FALSE(fs::exists(cache_file(2)));
    for (const uint64_t key : {1, 3, 4}) CHECK(fs::exists(cache_file(key)));
    used_before(3, 1000);
    const int reader = ::open(cache_file(3).c_str(), O_RDONLY);
    REQUIRE(::flock(reader, LOCK_SH) == 0);
    used_before(1, 500);
    keep(5);
    CHECK(fs::exists(cache_file(3)));
    CHECK_FALSE(fs::exists(cache_file(1)));
    const Cleared cleared = clear_cache();
    CHECK(cleared.files == 2);
    CHECK(cleared.bytes > 200000);
    CHECK(cleared.used == 1);
    ::close(reader);
    CHECK(clear_cache().files == 1);
    CHECK(fs::is_empty(cache_folder()));
}

TEST_CASE("cache: a set that does not fit is not cached, and the run continues") {
    const Pictures p;
    p.add("1.png", "rgb.png");
    {
        const Limit limit("0.0001");
        const Dataset set = hundred_kilobytes();  // plus its header
        CHECK(has(write_cache(cache_file(1), 1, set, {}), "more than GANNET_CACHE_GB, 0 MB"));
        CHECK_FALSE(fs::exists(cache_file(1)));
    }
    {
        const Limit none("0");
        CHECK(has(said(p.options()), "not kept for the next time ("));
    }
    for (const char* wrong : {"much", "-1", "nan", "1e300", "5GB"}) {
        const Limit limit(wrong);
        CHECK(has(error_of([&] { load_dataset(p.options(), threads()); }),
                  "a cache of '" + std::string(wrong) + "' gigabytes (GANNET_CACHE_GB): "));
    }
}

TEST_CASE("cache: a folder that cannot be listed is an error, a missing one is empty") {
    const Pictures p;
    CHECK(clear_cache().files == 0);
    fs::create_directories(p.folder / "cache");
    std::ofstream(cache_folder()) << "a file";
    CHECK(has(error_of(clear_cache), "cannot list the folder: Not a directory (" + cache_folder() + ")"));
}

TEST_CASE("cache: a folder that cannot be entered or changed is an error, not an empty one") {
    const Pictures p;
    fs::permissions(p.folder.path, fs::perms(0755));
    keep(1);
    if (!AsNobody().works()) return skipped("cannot give up root's rights");
    const auto refused = [&](int mode) {
        fs::permissions(cache_folder(), fs::perms(mode));
        const AsNobody nobody;
        return error_of(clear_cache);
    };
    CHECK(has(refused(0444), "cannot list the folder: Permission denied (" + cache_folder() + ")"));
    CHECK(has(refused(0555), "cannot remove: Permission denied (" + cache_file(1) + ")"));
    fs::permissions(cache_folder(), fs::perms(0755));
    CHECK(clear_cache().files == 1);
}

TEST_CASE("cache: a file that others could have written is not trusted") {
    const Pictures p;
    keep(1);
    CHECK(there(1));
    for (const int mode : {0620, 0602, 0666}) {
        REQUIRE(::chmod(cache_file(1).c_str(), mode_t(mode)) == 0);
        CHECK_FALSE(there(1));
    }
    REQUIRE(::chmod(cache_file(1).c_str(), 0644) == 0);
    CHECK(there(1));
    fs::rename(cache_file(1), p.folder / "elsewhere");
    fs::create_symlink(p.folder / "elsewhere", cache_file(1));
    CHECK_FALSE(there(1));
    keep(1);  // replaces the link, not its target
    CHECK(there(1));
    CHECK_FALSE(fs::is_symlink(cache_file(1)));
    if (::geteuid() != 0) return skipped("only root gives files away");
    REQUIRE(::chown(cache_file(1).c_str(), 1234, 1234) == 0);
    CHECK_FALSE(there(1));
    fs::remove(cache_file(1));
    REQUIRE(::mkfifo(cache_file(1).c_str(), 0600) == 0);
    CHECK_FALSE(there(1));  // does not block on the pipe
}

TEST_CASE("cache: its messages cannot control a terminal") {
    const Pictures p;
    p.add("1.png", "rgb.png");
    std::string kept;
    DatasetOptions options = p.options();
    load_dataset(options, threads());
    for (const auto& file : fs::directory_iterator(cache_folder())) kept = file.path().filename().string();
    const uint64_t key = std::stoull(kept, nullptr, 16);
    Dataset set;
    std::vector<std::string> lines;
    REQUIRE(read_cache(cache_file(key), key, set, lines));
    REQUIRE(write_cache(cache_file(key), key, set, {"red \x1b[31m"}) == "");
    const std::string text = said(options);
    CHECK(has(text, "red \\x1b[31m"));
    CHECK_FALSE(has(text, "\x1b"));
}
