// Data sets of image files (a folder, a tar, a zip), and the ones that are computed.
#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "data/dataset.h"
#include "tests/image_files.h"
#include "tests/temporary.h"

using namespace gannet;
namespace fs = std::filesystem;

namespace {

// A folder of fixtures under other names, and a cache of its own.
struct Pictures {
    TemporaryFolder folder;
    Pictures() { ::setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1); }
    ~Pictures() { ::unsetenv("XDG_CACHE_HOME"); }

    void add(const std::string& name, const std::string& fixture) const {
        const fs::path to = folder / ("set/" + name);
        fs::create_directories(to.parent_path());
        fs::copy_file(fixture_file(fixture), to);
    }
    DatasetOptions options(int64_t size = 16) const {
        return {.set = "folder", .path = folder / "set", .size = size, .where = [](const std::string& key) {
                    return "data." + key + ", m.json:3";
                }};
    }
    std::string pack(const std::string& name, int (*format)(archive*)) const {
        const std::string file = folder / name;
        archive* out = archive_write_new();
        format(out);
        REQUIRE(archive_write_open_filename(out, file.c_str()) == ARCHIVE_OK);
        for (const auto& found : fs::recursive_directory_iterator(folder / "set")) {
            if (!found.is_regular_file()) continue;
            const std::string bytes = read_text(found.path().string());
            archive_entry* entry = archive_entry_new();
            archive_entry_set_pathname(entry, fs::relative(found.path(), folder / "set").c_str());
            archive_entry_set_size(entry, int64_t(bytes.size()));
            archive_entry_set_filetype(entry, AE_IFREG);
            archive_entry_set_perm(entry, 0644);
            archive_write_header(out, entry);
            archive_write_data(out, bytes.data(), bytes.size());
            archive_entry_free(entry);
        }
        archive_write_free(out);
        return file;
    }
};

// What is said while a set is loaded, in one text.
std::string said(DatasetOptions options, Dataset* set = nullptr) {
    std::string text;
    options.say = [&](const std::string& line) { text += line + "\n"; };
    const Dataset loaded = load_dataset(options);
    if (set) *set = loaded;
    return text;
}

}  // namespace

TEST_CASE("image sets: a folder, a tar and a zip of the same files are the same set") {
    const Pictures p;
    p.add("b/2.png", "rgb.png"), p.add("b/10.jpg", "colour.jpg"), p.add("a/x.png", "grey8.png"),
        p.add("a/.hidden.png", "rgb.png");
    p.folder.write("set/a/notes.txt", "no image");
    DatasetOptions options = p.options();
    Dataset set;
    const std::string lines = said(options, &set);
    CHECK(has(lines, "2 files ignored: "));
    CHECK(set.count == 3);
    CHECK(set.H == 16);
    CHECK(set.C == 3);
    CHECK(set.classes == std::vector<std::string>{"a", "b"});
    CHECK(set.labels == std::vector<uint8_t>{0, 1, 1});
    for (const std::string& file :
         {p.pack("set.tar", archive_write_set_format_pax_restricted), p.pack("set.zip", archive_write_set_format_zip)}) {
        CAPTURE(file);
        options.path = file;
        const Dataset packed = load_dataset(options);
        CHECK(packed.pixels == set.pixels);
        CHECK(packed.labels == set.labels);
    }
    options.first = 2;
    CHECK(load_dataset(options).pixels == std::vector<uint8_t>(set.pixels.begin(), set.pixels.begin() + 2 * 16 * 16 * 3));
    options.channels = 1;
    CHECK(load_dataset(options).pixels.size() == 2 * 16 * 16);
    const DatasetInfo info = dataset_info(options);
    CHECK(info.H == 16);
    CHECK(info.C == 1);
}

TEST_CASE("image sets: decoded once, kept by content and settings") {
    const Pictures p;
    p.add("1.png", "rgb.png"), p.add("2.png", "rgba.png");
    DatasetOptions options = p.options();
    Dataset set;
    CHECK(has(said(options, &set), "2 images decoded in "));
    Dataset again;
    CHECK_FALSE(has(said(options, &again), "decoded"));
    CHECK(again.pixels == set.pixels);
    options.background = "black";  // another setting
    CHECK(has(said(options, &again), "decoded"));
    CHECK(again.pixels != set.pixels);
    options.background = "white";
    fs::remove(p.folder / "set/1.png");
    p.add("1.png", "rgb16.png");  // another content under the same name
    CHECK(has(said(options, &again), "decoded"));
    for (const auto& kept : fs::recursive_directory_iterator(p.folder / "cache"))  // damage to what is kept is found
        if (kept.is_regular_file()) fs::resize_file(kept.path(), kept.file_size() - 1);
    CHECK(has(said(options), "decoded"));
    options.cache = false;
    CHECK(has(said(options), "decoded"));
}

TEST_CASE("image sets: broken files") {
    const Pictures p;
    p.add("1.png", "rgb.png"), p.add("3.png", "grey8.png");
    p.folder.write("set/2.png", read_text(fixture_file("rgb.png")).substr(0, 300));
    p.folder.write("set/4.jpg", "no JPEG");
    DatasetOptions options = p.options();
    const std::string message = error_of([&] { load_dataset(options); });
    CHECK_MESSAGE(has(message, "a broken image, "), message);
    CHECK_MESSAGE(has(message, "2.png"), message);
    options.skip_broken = true;
    Dataset set;
    const std::string lines = said(options, &set);
    CHECK_MESSAGE(has(lines, "2 broken images left out: 2.png ("), lines);
    CHECK(set.count == 2);
    options.max_pixels = 10;
    CHECK(has(error_of([&] { load_dataset(options); }), "none of 4 images can be used"));
}

TEST_CASE("image sets: what cannot be a set") {
    const Pictures p;
    p.add("1.png", "rgb.png"), p.add("2.png", "grey8.png");
    DatasetOptions options = p.options();
    options.first = 3;
    CHECK(has(error_of([&] { load_dataset(options); }), "the first 3 images are wanted, there are 2"));
    p.add("3.jpg", "colour.jpg");
    options = p.options(0);  // as they are: of several sizes
    CHECK(has(error_of([&] { load_dataset(options); }), "images differ in size: "));
    options.path = p.folder / "none";
    CHECK_FALSE(error_of([&] { load_dataset(options); }).empty());
    options.path = "";
    CHECK(has(error_of([&] { load_dataset(options); }), "needs a path (data.path, m.json:3)"));
    options.path = p.folder / "empty";
    fs::create_directory(options.path);
    CHECK_FALSE(error_of([&] { load_dataset(options); }).empty());
    options.path = p.folder.write("text.tar", "no archive");
    CHECK_FALSE(error_of([&] { load_dataset(options); }).empty());
    options = p.options();
    options.background = "pale";
    CHECK(has(error_of([&] { load_dataset(options); }), "is no colour (data.background, m.json:3)"));
    options = p.options(4096);
    options.split = "test";
    CHECK(has(error_of([&] { load_dataset(options); }), "a folder has no split \"test\" (data.split, m.json:3)"));
}

TEST_CASE("image sets: MNIST in colour") {
    const Dataset grey = load_dataset({.first = 3}), colour = load_dataset({.first = 3, .channels = 3});
    CHECK(colour.C == 3);
    REQUIRE(colour.pixels.size() == 3 * grey.pixels.size());
    bool same = true;
    for (std::size_t i = 0; i < colour.pixels.size(); ++i) same = same && colour.pixels[i] == grey.pixels[i / 3];
    CHECK(same);
}

TEST_CASE("computed sets: points lie around their modes, images are a function of their index") {
    for (const char* name : {"ring", "grid", "blobs"}) {
        CAPTURE(name);
        const Dataset all = load_dataset({.set = name, .first = 1000}), few = load_dataset({.set = name, .first = 100});
        CHECK(all.count == 1000);
        CHECK(few.pixels == std::vector<uint8_t>(all.pixels.begin(), all.pixels.begin() + int64_t(few.pixels.size())));
        CHECK(load_dataset({.set = name, .split = "test", .first = 100}).pixels != few.pixels);
        const DatasetInfo info = dataset_info({.set = name});
        CHECK(info.H * info.W * info.C == int64_t(all.pixels.size()) / all.count);
        if (info.C != 2) continue;
        double worst = 0;
        std::vector<int> count(25);
        for (std::size_t i = 0; i < 1000; ++i) {
            const int mode = all.labels[i];
            ++count[std::size_t(mode)];
            const double turn = mode * std::acos(-1.0) / 4;
            const double x = all.pixels[2 * i] / 127.5 - 1, y = all.pixels[2 * i + 1] / 127.5 - 1;
            const bool ring = std::string(name) == "ring";
            const double a = ring ? 0.8 * std::cos(turn) : 0.4 * (mode % 5) - 0.8;
            const double b = ring ? 0.8 * std::sin(turn) : 0.4 * double(mode / 5) - 0.8;
            worst = std::max(worst, std::min(std::hypot(x - a, y - b), std::hypot(x - b, y - a)));
        }
        CHECK(worst < 0.12);  // six deviations of 0.02
        CHECK(std::count(count.begin(), count.end(), 0) == (std::string(name) == "ring" ? 17 : 0));
    }
    CHECK_FALSE(error_of([&] { load_dataset({.set = "ring", .size = 8}); }).empty());
}
