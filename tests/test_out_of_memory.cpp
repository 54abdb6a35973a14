// Exhausted memory: on a thread, and in the libraries that decode images.
#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "data/cache.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "data/orientation.h"
#include "data/source.h"
#include "kernels/cpu/parallel.h"
#include "tests/image_sets.h"
#include "tests/large_images.h"
#include "tests/skip.h"
#include "tests/temporary.h"
#include "tests/threads.h"

using namespace gannet;

namespace {

// Limits the address space to the current size plus `bytes` for its lifetime.
class Scarce {
public:
    explicit Scarce(int64_t bytes) {
        ::getrlimit(RLIMIT_AS, &before_);
        int64_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        const struct rlimit tight { rlim_t(pages * 4096 + bytes), before_.rlim_max };
        ::setrlimit(RLIMIT_AS, &tight);
    }
    ~Scarce() { ::setrlimit(RLIMIT_AS, &before_); }

private:
    struct rlimit before_ {};
};

// Allocates all available memory as a list of blocks. give_back() frees the largest blocks first; the number of small blocks
// depends on earlier tests.
class AllMemory {
public:
    explicit AllMemory(std::size_t largest) {
        for (std::size_t bytes = largest; bytes >= 16; bytes /= 2)
            while (void* more = std::malloc(bytes)) {
                *static_cast<void**>(more) = nullptr;
                (last_ ? *static_cast<void**>(last_) : taken_) = more;
                last_ = more;
            }
    }
    ~AllMemory() { give_back(SIZE_MAX); }
    void give_back(std::size_t blocks) {
        for (; taken_ && blocks > 0; --blocks) {
            void* next = *static_cast<void**>(taken_);
            std::free(taken_);
            taken_ = next;
        }
    }

private:
    void *taken_ = nullptr, *last_ = nullptr;
};

}  // namespace

TEST_CASE("out of memory: an image that cannot be decoded is not reported as broken") {
#ifdef __SANITIZE_ADDRESS__
    skipped("AddressSanitizer needs the address space");
#else
    const DecodeOptions options{};
    const std::vector<uint8_t> png = wide_png(1 << 22), jpeg = progressive_jpeg(2048);
    CHECK(decode_image(jpeg, options).W == 2048);
    CHECK(decode_image(png, options).W == 1 << 22);
    // In a separate process that first allocates the free memory of the heap and maps large blocks, so that only memory within
    // the limit is available.
    const pid_t child = ::fork();
    if (child == 0) {
        ::mallopt(M_MMAP_THRESHOLD, 1 << 17);
        std::unique_ptr<AllMemory> kept;
        {
            const Scarce scarce(0);
            kept = std::make_unique<AllMemory>(std::size_t(1) << 26);
        }
        int broken = 0, without_memory = 0;
        for (int64_t bytes = 0; bytes < 128 << 20; bytes += 4 << 20)
            for (const auto& image : {png, jpeg}) {
                try {
                    const Scarce scarce(bytes);
                    decode_image(image, options);
                } catch (const std::bad_alloc&) {
                    ++without_memory;
                } catch (const BrokenImage&) {
                    ++broken;
                }
            }
        ::_exit(broken > 0 ? 1 : without_memory <= 2 ? 2 : without_memory >= 60 ? 3 : 0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    {
        const Scarce scarce(50 << 20);
        CHECK(free_memory() <= 50 << 20);
        CHECK(free_memory() > 40 << 20);
    }
#endif
}

TEST_CASE("out of memory: an image that cannot be read is not omitted") {
#ifdef __SANITIZE_ADDRESS__
    skipped("AddressSanitizer needs the address space");
#else
    const Pictures p;
    p.add("1.png", "rgb.png"), p.add("2.png", "rgb.png");
    std::filesystem::resize_file(p.folder / "set/2.png", std::uintmax_t(400) << 20);  // zeros after the image
    DatasetOptions options = p.options();
    options.skip_broken = true;
    options.cache = false;
    CHECK(load_dataset(options, threads()).count == 2);
    const Scarce scarce(64 << 20);
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "the file takes 420 MB, more than the "));
#endif
}

TEST_CASE("out of memory: an archive that cannot be unpacked is not reported as damaged") {
#ifdef __SANITIZE_ADDRESS__
    skipped("AddressSanitizer needs the address space");
#else
    const Pictures p;
    std::string noise(100000, '\0');
    uint64_t state = 1;
    for (char& c : noise) c = char((state = state * 6364136223846793005 + 1) >> 40);
    const std::vector<Entry> entries{{"1.png", read_text(fixture_file("rgb.png"))}, {"2.txt", noise}};
    const auto names = [&](const std::string& file) { return ImageSource::open(file, {1 << 20, 1 << 30, true})->names().size(); };
    int read = 0, without_memory = 0, damaged = 0;
    for (const auto filter : {gz, archive_write_add_filter_bzip2, archive_write_add_filter_xz, archive_write_add_filter_zstd}) {
        const std::string file = pack_entries(p.folder / "set.tar", tar, filter, entries);
        REQUIRE(names(file) == 1);
        for (std::size_t blocks = 0; blocks < 600; blocks += blocks < 40 ? 2 : 20) {
            std::string complaint;
            {
                const Scarce scarce(10 << 20);
                AllMemory all(std::size_t(1) << 14);
                all.give_back(blocks);
                try {
                    ++(names(file) == 1 ? read : damaged);
                } catch (const std::bad_alloc&) {
                    ++without_memory;
                } catch (const Error& error) {
                    ++damaged;
                    all.give_back(SIZE_MAX);
                    complaint = error.what();
                }
            }
            CHECK(complaint == "");
        }
    }
    CHECK(damaged == 0);
    CHECK(read > 0);
    CHECK(without_memory > 0);
#endif
}

TEST_CASE("out of memory: an image that needs more than JPEGMEM is not reported as broken") {
    const std::vector<uint8_t> jpeg = progressive_jpeg(512);
    ::setenv("JPEGMEM", "1000", 1);  // in kilobytes
    CHECK_THROWS_AS(decode_image(jpeg, DecodeOptions{}), std::bad_alloc);
    ::unsetenv("JPEGMEM");
    CHECK(decode_image(jpeg, DecodeOptions{}).W == 512);
}

TEST_CASE("out of memory: a cache file that cannot be opened is closed") {
#ifdef __SANITIZE_ADDRESS__
    skipped("AddressSanitizer needs the address space");
#else
    const TemporaryFolder folder;
    const std::string file = folder.write("a.images", "x");
    Dataset set;
    std::vector<std::string> lines;
    const int next = ::dup(0);
    ::close(next);
    {
        const Scarce scarce(0);
        const AllMemory all(std::size_t(1) << 20);
        CHECK_FALSE(read_cache(file, 1, set, lines));
    }
    const int next_then = ::dup(0);
    ::close(next_then);
    CHECK(next_then == next);
#endif
}

TEST_CASE("out of memory: the orientation of an image is not lost") {
#ifdef __SANITIZE_ADDRESS__
    skipped("AddressSanitizer needs the address space");
#else
    std::string raw = "\nexif\n26\n4d4d002a0000000800010112000300000001000600000000";  // orientation 6
    std::string packed(compressBound(raw.size()), '\0');
    uLongf size = packed.size();
    REQUIRE(compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()), raw.size()) ==
            Z_OK);
    const std::string chunk = std::string("Raw profile type exif\0\0", 23) + packed.substr(0, size);
    int turned = 0, lost = 0, without_memory = 0;
    for (std::size_t pieces = 0; pieces < 64; ++pieces) {
        const Scarce scarce(0);
        AllMemory all(std::size_t(1) << 20);
        all.give_back(pieces * 64);
        try {
            Orientation orientation;
            orientation.png_chunk("zTXt", chunk);
            ++(orientation.value() == 6 ? turned : lost);
        } catch (const std::bad_alloc&) {
            ++without_memory;
        }
    }
    CHECK(lost == 0);
    CHECK(turned > 0);
    CHECK(without_memory > 0);
#endif
}

TEST_CASE("parallel: an exception in a task reaches the caller, and the threads survive") {
    const auto caller = std::this_thread::get_id();
    for (const int size : {2, 5}) {
        ThreadPool pool(size);
        for (int round = 0; round < 50; ++round) {
            // The caller waits in its first task, so that another thread throws.
            std::atomic<bool> thrown{false};
            std::atomic<int> ran{0};
            const auto work = [&](int64_t) {
                ++ran;
                const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
                while (std::this_thread::get_id() == caller && !thrown && std::chrono::steady_clock::now() < end)
                    std::this_thread::yield();
                if (std::this_thread::get_id() == caller) return;
                thrown = true;
                throw std::bad_alloc();
            };
            CHECK_THROWS_AS(parallel_for(pool, 20, [&](int64_t i) { work(i); }), std::bad_alloc);
            CHECK(ran == 20);
        }
    }
}
