// Data sets of image files (a folder, a tar, a zip), and computed data sets.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/image_sets.h"
#include "tests/memory_limit.h"
#include "tests/skip.h"
#include "tests/threads.h"

using namespace gannet;
namespace fs = std::filesystem;

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
        const Dataset packed = load_dataset(options, threads());
        CHECK(packed.pixels == set.pixels);
        CHECK(packed.labels == set.labels);
    }
    options.first = 2;
    CHECK(load_dataset(options, threads()).pixels ==
          std::vector<uint8_t>(set.pixels.begin(), set.pixels.begin() + 2 * 16 * 16 * 3));
    options.channels = 1;
    CHECK(load_dataset(options, threads()).pixels.size() == 2 * 16 * 16);
    const DatasetInfo info = dataset_info(options);
    CHECK(info.H == 16);
    CHECK(info.C == 1);
}

TEST_CASE("image sets: images are decoded once and cached by content and settings") {
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
    p.add("1.png", "rgb16.png");  // other content under the same name
    CHECK(has(said(options, &again), "decoded"));
    for (const auto& kept : fs::recursive_directory_iterator(p.folder / "cache"))  // damage to cached files is detected
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
    const std::string message = error_of([&] { load_dataset(options, threads()); });
    CHECK_MESSAGE(has(message, "a broken image, "), message);
    CHECK_MESSAGE(has(message, "2.png"), message);
    options.skip_broken = true;
    Dataset set;
    const std::string lines = said(options, &set);
    CHECK_MESSAGE(has(lines, "2 broken images omitted: 2.png ("), lines);
    CHECK(set.count == 2);
    options.max_pixels = 10;
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "none of 4 images can be used"));
}

TEST_CASE("image sets: invalid sets") {
    const Pictures p;
    p.add("1.png", "rgb.png"), p.add("2.png", "grey8.png");
    DatasetOptions options = p.options();
    options.first = 3;
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "the first 3 images are requested, there are 2"));
    p.add("3.jpg", "colour.jpg");
    options = p.options(0);  // original sizes, which differ
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "images differ in size: "));
    options.path = p.folder / "none";
    CHECK_FALSE(error_of([&] { load_dataset(options, threads()); }).empty());
    options.path = "";
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "needs a path (data.path, m.json:3)"));
    const auto refused = [&](const std::string& path) {
        options.path = path;
        const std::string info = error_of([&] { dataset_info(options); });
        const std::string message = error_of([&] { load_dataset(options, threads()); });
        CHECK((info.empty() || info == message));  // if a size is given, dataset_info opens no file
        return message;
    };
    fs::create_directory(p.folder / "empty");
    CHECK(has(refused(p.folder / "empty"), "the folder is empty ("));
    fs::create_directory(p.folder / "empty/deeper");
    CHECK(has(refused(p.folder / "empty"), "the folder is empty ("));
    p.folder.write("empty/deeper/notes.txt", "no image");
    CHECK(has(refused(p.folder / "empty"), "no PNG or JPEG images, only 1 other file: 1 .txt ("));
    CHECK(has(refused(pack_entries(p.folder / "none.tar", tar, plain, {})), "the archive is empty ("));
    CHECK(has(refused(pack_entries(p.folder / "none.zip", zip, plain, {})), "the archive is empty ("));
    CHECK(has(refused(p.folder.write("a.7z", "7z\xbc\xaf and more")), "cannot read 7z archives ("));
    CHECK(has(refused(p.folder.write("a.rar", "Rar!\x1a\a")), "cannot read rar archives ("));
    CHECK(has(refused(p.folder.write("nothing.tar", "")), "the file is empty ("));
    const std::string none = refused(p.folder.write("text.tar", "no archive"));
    CHECK_MESSAGE(has(none, "give a .tar, .tar.gz or .zip file of PNG and JPEG images"), none);
    options = p.options();
    options.background = "pale";
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "is not a valid colour (data.background, m.json:3)"));
    options = p.options(4096);
    options.split = "test";
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "a folder has no split \"test\" (data.split, m.json:3)"));
}

TEST_CASE("image sets: a crop larger than an image") {
    const Pictures p;
    p.add("1.png", "rgb.png");  // 21 x 13
    for (const int64_t size : {0, 16}) {
        DatasetOptions options = p.options(size);
        options.crop = 14;
        CHECK(has(error_of([&] { load_dataset(options, threads()); }),
                  "a broken image, 21 x 13 pixels, smaller than data.crop (14) (" + p.folder.path + "/set/1.png)"));
        options.skip_broken = true;
        CHECK(has(error_of([&] { load_dataset(options, threads()); }), "none of 1 image can be used"));
        options.crop = 13;
        const Dataset set = load_dataset(options, threads());
        CHECK(set.H == (size ? size : 13));
        CHECK(set.W == set.H);
    }
}

// A MiB of zeros compresses to about a kilobyte in both formats.
TEST_CASE("image sets: zip bombs") {
    const Pictures p;
    const std::string image = read_text(fixture_file("rgb.png")), zeros(1 << 18, '\0');
    const std::vector<Entry> entries{{"1.png", image}, {"a", zeros}, {"b", zeros}, {"c", zeros}, {"d", zeros}};
    DatasetOptions options = p.options();
    for (const std::string& file :
         {pack_entries(p.folder / "set.zip", zip, plain, entries), pack_entries(p.folder / "set.tgz", tar, gz, entries)}) {
        CAPTURE(file);
        REQUIRE(fs::file_size(file) * 200 < 900000);
        options.path = file;
        options.max_bytes = 900000;
        const std::string message = error_of([&] { load_dataset(options, threads()); });
        CHECK_MESSAGE(has(message, " bytes unpacks to more than 900,000 (" + file + ", data.path, m.json:3): "), message);
        CHECK_MESSAGE(has(message, "data.max_bytes"), message);
        options.size = 0;  // dataset_info then reads an image to know the shape
        CHECK(error_of([&] { dataset_info(options); }) == message);
        options.size = 16;
        options.max_bytes = 4 * int64_t(zeros.size()) + int64_t(image.size());
        CHECK(load_dataset(options, threads()).count == 1);
    }
    options.max_bytes = 1;  // does not matter for an archive that hardly expands
    options.path = pack_entries(p.folder / "set.tar", tar, plain, entries);
    CHECK(load_dataset(options, threads()).count == 1);

    // By default, any archive may unpack to a gibibyte.
    options = p.options();
    options.path = pack_entries(p.folder / "claims.tar", tar, plain, {{.name = "1.png", .bytes = image, .claimed = 1 << 30}});
    CHECK_FALSE(has(error_of([&] { load_dataset(options, threads()); }), "unpacks to"));
    options.path =
        pack_entries(p.folder / "claims.tar", tar, plain, {{.name = "1.png", .bytes = image, .claimed = (1 << 30) + 1}});
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "unpacks to more than 1,073,741,824"));
}

// At most as many bytes are read as an image of max_pixels can take.
TEST_CASE("image sets: a file larger than any image") {
    const Pictures p;
    p.add("1.png", "rgb.png");
    const std::string image = read_text(fixture_file("rgb.png")), huge = image + std::string((2 << 20) - image.size(), '\0');
    p.folder.write("set/2.png", huge);
    DatasetOptions options = p.options();
    options.max_pixels = 21 * 13;
    options.skip_broken = true;
    CHECK(has(said(options), "1 broken image omitted: 2.png (a file of 2,097,152 bytes)"));
    const std::vector<Entry> entries{{"1.png", image}, {"2.png", huge}};
    for (const std::string& file :
         {pack_entries(p.folder / "set.zip", zip, plain, entries), pack_entries(p.folder / "set.tgz", tar, gz, entries)}) {
        CAPTURE(file);
        options.path = file;
        CHECK(has(said(options), "1 broken image omitted: 2.png (a file of more than 1,050,760 bytes)"));
    }
}

// Its rest is skipped: the process may allocate a quarter of the entry.
TEST_CASE("image sets: an entry that is not an image by its first bytes is not unpacked into memory") {
    if (!memory_can_be_limited) return skipped("under a sanitizer");
    const Pictures p;
    const std::string image = read_text(fixture_file("rgb.png"));
    const std::vector<Entry> entries{{"1.png", image}, {"2.png", std::string(64 << 20, '\0')}, {"3.png", image}};
    DatasetOptions options = p.options();
    options.skip_broken = true;
    options.cache = false;
    for (const std::string& file :
         {pack_entries(p.folder / "set.zip", zip, plain, entries), pack_entries(p.folder / "set.tgz", tar, gz, entries)}) {
        CAPTURE(file);
        options.path = file;
        CHECK(has(said(options), "1 broken image omitted: 2.png (not a PNG or JPEG file, despite its name)"));
        CHECK(succeeds_within(std::size_t(16) << 20, [&] {
            ThreadPool alone(1);
            return error_of([&] { load_dataset(options, alone); }).empty();
        }));
    }
}

// Nothing is unpacked to disk: names are only names, and links point only to entries of the archive.
TEST_CASE("image sets: entries that point elsewhere") {
    const Pictures p;
    const std::string image = read_text(fixture_file("rgb.png")), grey = read_text(fixture_file("grey8.png"));
    const std::string outside = p.folder.write("outside.png", grey), name = "gannet-test-climbs.png";
    for (const bool zipped : {false, true}) {
        CAPTURE(zipped);
        std::vector<Entry> entries{{"1.png", image},
                                   {"../../" + name, image},
                                   {p.folder / "absolute.png", image},
                                   {.name = "link.png", .symlink = outside},
                                   {.name = "folder", .symlink = p.folder.path},
                                   {"folder/through.png", image}};
        if (!zipped)
            entries.push_back({.name = "hard.png", .hardlink = "1.png"}),
                entries.push_back({.name = "out.png", .hardlink = outside});
        DatasetOptions options = p.options();
        options.path = pack_entries(p.folder / (zipped ? "set.zip" : "set.tar"), zipped ? zip : tar, plain, entries);
        const auto before = all_files_of(p.folder.path);
        Dataset set;
        const std::string lines = said(options, &set);
        CHECK_MESSAGE(has(lines, zipped ? "2 files ignored: 2 unresolved links" : "3 files ignored: 3 unresolved links"), lines);
        REQUIRE(set.count == (zipped ? 4 : 5));  // including the hard link to 1.png
        const std::vector<uint8_t> first(set.pixels.begin(), set.pixels.begin() + 16 * 16 * 3);
        for (int64_t i = 1; i < set.count; ++i)  // none is the grey image
            CHECK(std::equal(first.begin(), first.end(), set.pixels.begin() + i * 16 * 16 * 3));
        CHECK(all_files_of(p.folder.path) == before);
    }
    CHECK(read_text(outside) == grey);
    for (const std::string& from : {p.folder.path, p.folder / "cache/gannet", std::string(".")})
        for (const char* up : {"/", "/../", "/../../"}) CHECK_FALSE(fs::exists(from + up + name));
}

TEST_CASE("image sets: links in a folder") {
    const Pictures p;
    p.add("a/1.png", "rgb.png");
    fs::create_directory_symlink(p.folder / "set", p.folder / "set/a/loop");
    fs::create_symlink(fixture_file("rgb.png"), p.folder / "set/a/dead.png");  // relative to the link
    fs::create_symlink(fs::absolute(fixture_file("grey8.png")), p.folder / "set/a/live.png");
    DatasetOptions options = p.options();
    CHECK(has(error_of([&] { load_dataset(options, threads()); }),
              "cannot open it: No such file or directory (" + p.folder.path + "/set/a/dead.png)"));
    fs::remove(p.folder / "set/a/dead.png");
    CHECK(load_dataset(options, threads()).count == 2);
}

TEST_CASE("image sets: MNIST in colour") {
    const Dataset grey = load_dataset({.first = 3}, threads()), colour = load_dataset({.first = 3, .channels = 3}, threads());
    CHECK(colour.C == 3);
    REQUIRE(colour.pixels.size() == 3 * grey.pixels.size());
    bool same = true;
    for (std::size_t i = 0; i < colour.pixels.size(); ++i) same = same && colour.pixels[i] == grey.pixels[i / 3];
    CHECK(same);
}

TEST_CASE("computed sets: points lie around their modes, images depend only on their index") {
    for (const char* name : {"ring", "grid", "blobs"}) {
        CAPTURE(name);
        const Dataset all = load_dataset({.set = name, .first = 1000}, threads()),
                      few = load_dataset({.set = name, .first = 100}, threads());
        CHECK(all.count == 1000);
        CHECK(few.pixels == std::vector<uint8_t>(all.pixels.begin(), all.pixels.begin() + int64_t(few.pixels.size())));
        CHECK(load_dataset({.set = name, .split = "test", .first = 100}, threads()).pixels != few.pixels);
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
    CHECK_FALSE(error_of([&] { load_dataset({.set = "ring", .size = 8}, threads()); }).empty());
}
