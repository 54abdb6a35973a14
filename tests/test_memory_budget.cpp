// The memory budget: work requests memory before it allocates it. Tests set the amount of free memory.
#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "base/safetensors.h"
#include "data/cache.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "data/idx.h"
#include "data/memory_budget.h"
#include "data/npy.h"
#include "data/source.h"
#include "kernels/cpu/parallel.h"
#include "tests/image_sets.h"
#include "tests/large_images.h"
#include "tests/memory_limit.h"
#include "tests/skip.h"
#include "tests/temporary.h"
#include "tests/threads.h"

using namespace gannet;

namespace {

constexpr int64_t MB = 1000000;

FreeMemory always(int64_t bytes) {
    return [bytes] { return bytes; };
}

void write(const std::string& file, const std::vector<uint8_t>& bytes) {
    std::filesystem::create_directories(parent_of(file));
    std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

std::map<std::string, std::vector<uint8_t>> kinds() {
    std::map<std::string, std::vector<uint8_t>> all;
    all["RGB.png"] = large_png(3000, 2000, {});
    all["grey.png"] = large_png(3000, 4000, {.type = PNG_COLOR_TYPE_GRAY});
    all["16 bits, interlaced.png"] = large_png(3000, 2000, {.depth = 16, .type = PNG_COLOR_TYPE_RGB_ALPHA, .interlaced = true});
    all["turned.png"] = large_png(3000, 2000, {.turned = true});
    all["wide.png"] = wide_png(1 << 21);
    all["RGB.jpg"] = large_jpeg(3000, 2000, {.subsampled = true});
    all["progressive.jpg"] = progressive_jpeg(2048);
    all["subsampled, progressive.jpg"] = large_jpeg(2049, 2050, {.progressive = true, .subsampled = true});
    all["CMYK.jpg"] = large_jpeg(2000, 2000, {.components = 4});
    all["CMYK, progressive.jpg"] = large_jpeg(2000, 2000, {.components = 4, .progressive = true});
    all["turned.jpg"] = large_jpeg(3000, 2000, {.turned = true});
    all["turned, progressive.jpg"] = large_jpeg(3000, 2000, {.progressive = true, .turned = true});
    all["wide.jpg"] = large_jpeg(65000, 16, {.subsampled = true});
    return all;
}

// Peak memory of `work` in bytes, beyond what this process uses, as a container counts it; 0 if unknown.
template <class Work>
int64_t peak_of(Work work) {
    const auto kilobytes = [](const std::string& key) {
        std::ifstream in("/proc/self/status");
        for (std::string word; in >> word;)
            if (int64_t n = 0; word == key + ":" && in >> n) return n;
        return int64_t(0);
    };
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::malloc_trim(0);
        std::ofstream("/proc/self/clear_refs") << 5;  // resets VmHWM
        const int64_t before = kilobytes("VmRSS");
        work();
        const int64_t bytes = (kilobytes("VmHWM") - before) * 1024;
        ::_exit(::write(ends[1], &bytes, sizeof bytes) == sizeof bytes ? 0 : 1);
    }
    ::close(ends[1]);
    int64_t bytes = 0;
    if (::read(ends[0], &bytes, sizeof bytes) != sizeof bytes) bytes = 0;
    ::close(ends[0]);
    int status = -1;
    ::waitpid(child, &status, 0);
    return bytes;
}

// Twelve images of about 8 MB each.
void add_images(const Pictures& p) {
    for (int i = 0; i < 12; ++i) {
        const std::string name = p.folder / ("set/" + std::to_string(i));
        if (i % 2) write(name + ".png", large_png(1500 + i, 1400, {}));
        else write(name + ".jpg", large_jpeg(1000, 1000 + i, {.progressive = true}));
    }
}

}  // namespace

TEST_CASE("memory budget: all threads together never take more than is free") {
    constexpr int64_t free = 100 * MB;
    MemoryBudget budget(always(free));
    ThreadPool four(4);
    std::atomic<int64_t> taken{0}, most{0};
    parallel_for(four, 400, [&](int64_t i) {
        const int64_t bytes = (i * 37 % 90 + 1) * MB;
        MemoryShare share(budget);
        CHECK(share.take(bytes) == "");
        const int64_t now = taken += bytes;
        for (int64_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        taken -= bytes;
    });
    CHECK(most <= free);
    // Two requests that fit are served at the same time.
    std::atomic<int> at_once{0}, met{0};
    const auto work = [&] {
        MemoryShare share(budget);
        CHECK(share.take(40 * MB) == "");
        ++at_once;
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (at_once < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        met += at_once == 2;
    };
    std::thread one(work), other(work);
    one.join(), other.join();
    CHECK(met == 2);
}

TEST_CASE("memory budget: a request that never fits is rejected when no other is active") {
    MemoryBudget budget(always(100 * MB));
    CHECK(budget.take(200 * MB) == "200 MB, more than the 100 MB of memory that are free");
    CHECK(budget.take(100 * MB) != "");  // a reserve stays free
    CHECK(budget.take(50 * MB) == "");
    std::atomic<bool> refused{false};
    std::thread waiting([&] {
        CHECK(budget.take(200 * MB) != "");
        refused = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK_FALSE(refused);
    budget.give_back(50 * MB);
    waiting.join();
    CHECK(budget.take(60 * MB) == "");
    budget.give_back(60 * MB);
}

TEST_CASE("memory budget: the estimate of each kind of image is large enough and at most twice too large") {
    if (!memory_can_be_limited) return skipped("AddressSanitizer needs the address space");
    for (const auto& [name, file] : kinds()) {
        CAPTURE(name);
        int64_t estimate = 0, H = 0, W = 0, C = 0;
        DecodeOptions options;
        options.reserve = [&](int64_t h, int64_t w, int64_t c, int64_t bytes) { H = h, W = w, C = c, estimate = bytes; };
        const Image picture = decode_image(file, options);
        CHECK(picture.H * picture.W == H * W);
        CHECK(picture.C == C);
        const int64_t peak = peak_of([&] { decode_image(file, {}); });
        REQUIRE(peak > 0);
        CHECK(peak <= estimate + MB);  // plus pages of the new process
        CHECK(peak >= estimate / 2);
    }
}

TEST_CASE("memory budget: images that do not fit together are decoded in turn, with the same result") {
    const Pictures p;
    add_images(p);
    DatasetOptions options = p.options();
    options.cache = false;
    for (const int64_t size : {16, 0}) {
        options.size = size;
        options.crop = size ? 0 : 900;
        options.free = always(int64_t(1) << 40);
        const Dataset all = load_dataset(options, threads());
        REQUIRE(all.count == 12);
        for (const int at_once : {1, 4}) {
            ThreadPool pool(at_once);
            std::atomic<int64_t> asked{0};
            options.free = [&] { return ++asked, size ? 24 * MB : 36 * MB; };
            const Dataset set = load_dataset(options, pool);
            CHECK(set.pixels == all.pixels);
            CHECK(asked >= 5);  // every allocation was requested
        }
    }
}

TEST_CASE("memory budget: kept results do not block an image") {
    const Pictures p;
    for (int i = 0; i < 6; ++i) write(p.folder / ("set/" + std::to_string(i) + ".png"), large_png(1000, 1000, {}));
    DatasetOptions options = p.options(0);
    options.cache = false;
    ThreadPool alone(1);
    // Requests: a batch, the first image, the other five while its result is kept, then the five without it.
    int64_t asked = 0;
    options.free = [&] { return ++asked == 2 ? 9 * MB : asked >= 3 && asked <= 7 ? 3 * MB : 40 * MB; };
    CHECK(load_dataset(options, alone).count == 6);
    CHECK(asked >= 9);
}

TEST_CASE("memory budget: an error names the image that does not fit, also if broken images are omitted") {
    const Pictures p;
    p.add("1.png", "rgb.png");
    write(p.folder / "set/large.png", large_png(4000, 3000, {}));
    p.add("z.png", "rgb.png");
    DatasetOptions options = p.options();
    for (const std::string& path : {options.path, p.pack("set.tar", tar), p.pack("set.zip", zip)})
        for (const bool skip : {false, true})
            for (const int at_once : {1, 4}) {
                ThreadPool pool(at_once);
                options.path = path;
                options.skip_broken = skip;
                options.free = always(30 * MB);
                CHECK(
                    error_of([&] { load_dataset(options, pool); }) ==
                    "an image of 4000 x 3000 pixels takes 38 MB, more than the 30 MB of memory that are free (" + path +
                        "/large.png): give the program more memory, or smaller images: a lower data.max_pixels with data.broken "
                        "\"skip\" omits large ones");
                options.free = always(50 * MB);
                options.cache = false;
                CHECK(load_dataset(options, pool).count == 3);
            }
    // Reading only its extents needs as much memory.
    options = p.options(0);
    std::filesystem::remove(p.folder / "set/1.png");
    options.free = always(30 * MB);
    CHECK(has(error_of([&] { dataset_info(options); }), "an image of 4000 x 3000 pixels takes 38 MB"));
    // The advice in the message works.
    options = p.options();
    options.free = always(30 * MB);
    options.skip_broken = true;
    options.max_pixels = 1000000;
    CHECK(load_dataset(options, threads()).count == 1);
}

TEST_CASE("memory budget: a large file is not read; a small set fits where a large one does not") {
    const Pictures p;
    p.add("1.png", "rgb.png"), p.add("2.png", "rgb.png");
    std::filesystem::resize_file(p.folder / "set/2.png", std::uintmax_t(40 * MB));  // zeros after the image
    DatasetOptions options = p.options();
    options.skip_broken = true;
    const std::string folder = options.path;
    for (const std::string& path : {folder, p.pack("set.tar", tar), p.pack("set.zip", zip)}) {
        options.path = path;
        options.free = always(30 * MB);
        CHECK(has(error_of([&] { load_dataset(options, threads()); }),
                  "the file takes 4" + std::string(path == folder ? "0" : "1") +
                      " MB, more than the 30 MB of memory that are free (" + path + "/2.png): give the program more memory"));
        options.free = always(100 * MB);
        options.cache = false;
        CHECK(load_dataset(options, threads()).count == 2);
    }
    options = p.options(3000);
    options.free = always(30 * MB);
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "2 images of 3000 x 3000 take 55 MB, more than the 30 MB"));
    CHECK(has(error_of([&] { load_dataset({.free = always(10 * MB)}, threads()); }),
              "its content takes 48 MB, more than the 10 MB"));
}

TEST_CASE("memory budget: sizes of array files are compared with free memory before the files are read") {
    const TemporaryFolder folder;
    const std::string values(8 * MB, 'x'),
        lack = "its content takes 8 MB and 5 MB to spare, more than the 8 MB of memory that are free (";
    const FreeMemory little = always(8 * MB), enough = always(16 * MB);
    const std::string npy = folder.write("a.npy", std::string("\x93NUMPY\1\0\x76\0", 10) +
                                                      "{'descr': '|u1', 'fortran_order': False, 'shape': (8000000,), }" +
                                                      std::string(118 - 63, ' ') + values);
    CHECK(has(error_of([&] { read_npy(npy, little); }), lack + npy + "): give the program more memory"));
    CHECK(read_npy(npy, enough).values.size() == values.size());
    const std::string idx = folder.write("a-idx", std::string("\0\0\x08\1\0\x7a\x12\0", 8) + values);
    CHECK(has(error_of([&] { read_idx(idx, 1, little); }), lack + idx));
    CHECK(read_idx(idx, 1, enough).values.size() == values.size());
    const std::string arrays = folder / "a.safetensors";
    write_safetensors(arrays, {{}, {make_array("x", {8 * MB}, std::vector<uint8_t>(values.begin(), values.end()))}});
    CHECK(has(error_of([&] { read_safetensors(arrays, little); }), lack + arrays));
    CHECK(read_safetensors(arrays, enough).arrays.size() == 1);
    const std::string huge = folder.write("huge", "");
    std::filesystem::resize_file(huge, std::uintmax_t(1) << 42);
    CHECK(has(error_of([&] { read_file(huge); }), "its content takes 4398047 MB, more than the "));
    CHECK(read_file(huge, 10).size() == 10);
}

TEST_CASE("memory budget: a cached set that does not fit is treated as missing") {
    const TemporaryFolder folder;
    const Dataset set{.count = 8, .H = 1000, .W = 1000, .C = 1, .pixels = std::vector<uint8_t>(8000000), .labels = {}};
    REQUIRE(write_cache(folder / "a.images", 7, set, {}) == "");
    Dataset found;
    std::vector<std::string> lines;
    CHECK_FALSE(read_cache(folder / "a.images", 7, found, lines, always(8 * MB)));
    CHECK(read_cache(folder / "a.images", 7, found, lines, always(16 * MB)));
}

TEST_CASE("memory budget: values of a JSON text") {
    const auto repeated = [](const std::string& text, int count) {
        std::string all;
        for (int i = 0; i < count; ++i) all += text;
        return all;
    };
    const std::vector<std::string> texts = {"[" + repeated("1,", 500000) + "1]", "[" + repeated("[1],", 250000) + "1]",
                                            "[" + repeated("{\"a\":[]},", 100000) + "1]"};
    for (const std::string& text : texts) {
        CHECK(has(error_of([&] { json::parse(text, "a.json", json::largest_text, always(20 * MB)); }),
                  "the values of the JSON text take more memory than is free (a.json:1): give the program more memory"));
        int64_t taken = 0;
        json::parse(text, "a.json", json::largest_text, [&] { return ++taken, int64_t(1) << 40; });
        CHECK(taken >= 2);
        CHECK(json::parse("[1, [2]]", "a.json", json::largest_text, always(0)).list()->size() == 2);
    }
    if (!memory_can_be_limited) return skipped("AddressSanitizer needs the address space");
    // With less and less memory, parsing is either rejected or succeeds; it never runs out of memory.
    for (const std::string& text : texts)
        for (int64_t bytes = 400 * MB; bytes > 8 * MB; bytes -= bytes / 4) {
            CAPTURE(bytes);
            CHECK(succeeds_within(std::size_t(bytes), [&] {
                try {
                    json::parse(text, "a.json");
                } catch (const LackOfMemory&) {
                }
                return true;
            }));
        }
}
