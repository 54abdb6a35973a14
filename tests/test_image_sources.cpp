// Sources of images: names in archives, links, system folders, run folders, and unreadable paths.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <ctime>

#include "data/archive_tree.h"
#include "data/source.h"
#include "tests/image_sets.h"
#include "tests/nobody.h"
#include "tests/skip.h"
#include "tests/threads.h"

using namespace gannet;
namespace fs = std::filesystem;

namespace {

std::string image() { return read_text(fixture_file("rgb.png")); }

// Writes a zip as other programs do, with names as bytes; libarchive's writer would convert them.
struct ZipName {
    std::string name, unicode = {};  // `unicode` is Info-ZIP's extra field 0x7075
    bool utf8_flag = false;
    std::string symlink = {};
    bool deflated = false, size_follows = false;
};

std::string deflate_raw(const std::string& text) {
    std::string out(text.size() + 64, '\0');
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = uInt(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = uInt(out.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string little_endian(uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += char(value >> 8 * i & 255);
    return text;
}

uint32_t sum_of(const std::string& text) {
    return uint32_t(crc32(0, reinterpret_cast<const Bytef*>(text.data()), uInt(text.size())));
}

std::string zip_of(const std::string& file, const std::vector<ZipName>& names) {
    std::string out, directory;
    for (const ZipName& n : names) {
        const std::string bytes = n.symlink.empty() ? image() : n.symlink;
        std::string extra;
        if (!n.unicode.empty())
            extra = little_endian(0x7075, 2) + little_endian(5 + n.unicode.size(), 2) + "\1" + little_endian(sum_of(n.name), 4) +
                    n.unicode;
        const std::string packed = n.deflated ? deflate_raw(bytes) : bytes;
        const std::string sizes =
            little_endian(sum_of(bytes), 4) + little_endian(packed.size(), 4) + little_endian(bytes.size(), 4);
        const std::string kind = little_endian(20, 2) + little_endian((n.utf8_flag ? 0x800 : 0) | (n.size_follows ? 8 : 0), 2) +
                                 little_endian(n.deflated ? 8 : 0, 2) + little_endian(0x210000, 4);
        const std::string lengths = little_endian(n.name.size(), 2) + little_endian(extra.size(), 2);
        directory += "PK\1\2" + little_endian(20 | 3 << 8, 2) + kind + sizes + lengths + little_endian(0, 6) +
                     little_endian(n.symlink.empty() ? 0 : uint64_t(S_IFLNK | 0777) << 16, 4) + little_endian(out.size(), 4) +
                     n.name + extra;
        out += "PK\3\4" + kind + (n.size_follows ? std::string(12, '\0') : sizes) + lengths + n.name + extra + packed;
        if (n.size_follows) out += "PK\7\10" + sizes;
    }
    out += directory + "PK\5\6" + little_endian(0, 4) + little_endian(names.size(), 2) + little_endian(names.size(), 2) +
           little_endian(directory.size(), 4) + little_endian(out.size(), 4) + little_endian(0, 2);
    std::ofstream(file, std::ios::binary) << out;
    return file;
}

std::vector<std::string> names_in(const std::string& file, bool skip_broken = false) {
    return ImageSource::open(file, {1 << 20, 1 << 30, skip_broken})->names();
}

}  // namespace

TEST_CASE("image sources: names in a zip, in any encoding and under any locale") {
    const Pictures p;
    const std::string file = zip_of(p.folder / "names.zip", {
                                                                {"a.png"},
                                                                {.name = "\xc3\xa9.png", .utf8_flag = true},
                                                                {"\x82t\x82.png"},             // code page 437
                                                                {"\xc3\xbc.png"},              // UTF-8 without the flag
                                                                {"_.png", "\xe7\x8c\xab.png"}  // Info-ZIP's extra field
                                                            });
    const std::vector<std::string> expected{"a.png", "\xc3\xa9.png", "\xc3\xa9t\xc3\xa9.png", "\xc3\xbc.png", "\xe7\x8c\xab.png"};
    const std::string before = std::setlocale(LC_ALL, nullptr);
    for (const char* locale : {"C", "C.UTF-8", "POSIX"}) {
        CAPTURE(locale);
        REQUIRE(std::setlocale(LC_ALL, locale));
        CHECK(names_in(file) == expected);
        CHECK(std::setlocale(LC_ALL, nullptr) == std::string(locale == std::string("POSIX") ? "C" : locale));
    }
    std::setlocale(LC_ALL, before.c_str());
    DatasetOptions options = p.options();
    options.path = file;
    CHECK(load_dataset(options, threads()).count == 5);
    options.path = zip_of(p.folder / "folders.zip",
                          {{.name = "caf\xc3\xa9/1.png", .utf8_flag = true}, {.name = "\xe7\x8c\xab/2.png", .utf8_flag = true}});
    CHECK(load_dataset(options, threads()).classes == std::vector<std::string>{"caf\xc3\xa9", "\xe7\x8c\xab"});
}

TEST_CASE("image sources: names in a zip that differ only in their Unicode composition are different names") {
    const Pictures p;
    const std::string composed = "\xc3\xa9", two = "e\xcc\x81";
    DatasetOptions options = p.options();
    options.path = zip_of(p.folder / "set.zip", {{.name = composed + "/1.png", .utf8_flag = true},
                                                 {.name = two + "/1.png", .utf8_flag = true},
                                                 {"a/1.png"},
                                                 {"_", "a/" + two + ".png"},
                                                 {"-", "a/" + composed + ".png"},
                                                 {two + "/2.png"},
                                                 {.name = "b/1.png", .utf8_flag = true, .symlink = "../" + two + "/2.png"}});
    CHECK(names_in(options.path) == std::vector<std::string>{"a/1.png", "a/" + two + ".png", "a/" + composed + ".png", "b/1.png",
                                                             two + "/1.png", two + "/2.png", composed + "/1.png"});
    Dataset set;
    CHECK_FALSE(has(said(options, &set), "ignored"));
    CHECK(set.classes == std::vector<std::string>{"a", "b", two, composed});
    CHECK(set.labels == std::vector<uint8_t>{0, 0, 0, 1, 2, 2, 3});
    // A name may contain the signature of a header, and be very long.
    const std::string header = std::string("PK\3\4") + "x/1.png", large = "x/" + std::string(3000, 'x') + two + ".png";
    CHECK(names_in(zip_of(p.folder / "long.zip", {{.name = large, .utf8_flag = true}, {.name = header, .utf8_flag = true}})) ==
          std::vector<std::string>{header, large});
}

TEST_CASE("image sources: links in a zip, however packed, match names byte for byte") {
    const Pictures p;
    const std::string composed = "\xc3\xa9", taken_apart = "e\xcc\x81";
    for (const bool deflated : {false, true})
        for (const bool follows : {false, true}) {
            CAPTURE(deflated);
            CAPTURE(follows);
            const auto entry = [&](const std::string& name, const std::string& target) {
                return ZipName{.name = name, .utf8_flag = true, .symlink = target, .deflated = deflated, .size_follows = follows};
            };
            const std::string file =
                zip_of(p.folder / "links.zip",
                       {entry(taken_apart + "/1.png", ""), entry(composed + "/2.png", ""),
                        entry("a" + taken_apart + ".png", taken_apart + "/1.png"),
                        entry("b" + composed + ".png", composed + "/2.png"), entry("c.png", composed + "/1.png")});
            CHECK(names_in(file) == std::vector<std::string>{"a" + taken_apart + ".png", "b" + composed + ".png",
                                                             taken_apart + "/1.png", composed + "/2.png"});
            DatasetOptions options = p.options();
            options.path = file;
            CHECK(has(said(options), "1 unresolved link (c.png -> " + composed + "/1.png)"));
        }
}

TEST_CASE("image sources: names in an archive equal those of the unpacked files") {
    const Pictures p;
    const std::string file = pack_entries(p.folder / "names.tar", tar, plain,
                                          {{"a/./1.png", image()},
                                           {"a//1.png", image()},  // the same file again
                                           {"b/../a/2.png", image()},
                                           {"../../c/3.png", image()},
                                           {"/c/4.png", image()},
                                           {.name = "c/5.png", .hardlink = "./a//1.png"},
                                           {.name = "c/6.png", .symlink = "../../a/1.png"},  // points outside the archive
                                           {.name = "c/7.png", .symlink = "../a//./2.png"},
                                           {.name = "d/", .bytes = ""},
                                           {.name = "e", .symlink = "./a/"}});
    CHECK(names_in(file) ==
          std::vector<std::string>{"a/1.png", "a/2.png", "c/3.png", "c/4.png", "c/5.png", "c/7.png", "e/1.png", "e/2.png"});
    DatasetOptions options = p.options();
    options.path = file;
    Dataset set;
    const std::string lines = said(options, &set);
    CHECK_MESSAGE(has(lines, "2 files ignored: 1 repeated name (a/1.png), 1 unresolved link (c/6.png -> ../../a/1.png)"), lines);
    CHECK(set.classes == std::vector<std::string>{"a", "c", "e"});
}

TEST_CASE("image sources: if a file and a link have the same name, the later one is used") {
    const Pictures p;
    const std::string other = read_text(fixture_file("grey8.png"));
    DatasetOptions options = p.options();
    Dataset expected, set;
    options.path = pack_entries(p.folder / "one.tar", tar, plain, {{"a.png", image()}, {"b.png", image()}});
    said(options, &expected);
    options.path = pack_entries(p.folder / "link.tar", tar, plain,
                                {{"b.png", image()}, {"a.png", other}, {.name = "a.png", .symlink = "b.png"}});
    CHECK(has(said(options, &set), "1 repeated name (a.png)"));
    CHECK(set.pixels == expected.pixels);
    options.path = pack_entries(p.folder / "file.tar", tar, plain,
                                {{.name = "a.png", .symlink = "b.png"}, {"a.png", image()}, {"b.png", image()}});
    CHECK(has(said(options, &set), "1 repeated name (a.png)"));
    CHECK(set.pixels == expected.pixels);
    options.path = pack_entries(p.folder / "last.tar", tar, plain,
                                {{.name = "a.png", .symlink = "b.png"}, {"a.png", image()}, {"b.png", other}});
    said(options, &set);
    CHECK(std::equal(set.pixels.begin(), set.pixels.begin() + std::ptrdiff_t(set.pixels.size() / 2), expected.pixels.begin()));
}

TEST_CASE("image sources: links are resolved in linear time") {
    const auto follow = [](int64_t count) {
        const std::clock_t begin = std::clock();
        ArchiveTree tree("a.tar");
        for (int64_t i = 0; i < count; ++i) {
            const std::string name = std::to_string(i) + ".png";
            tree.add_file(ArchiveTree::unpacked("./files/" + name), {i, 1});
            tree.add_link("links/" + name, "../files/" + name);
            tree.add_link("deep/" + std::to_string(i) + "/" + name, "../../links/" + name);
            tree.add_link("round/" + std::to_string(i), std::to_string((i + 1) % count));
        }
        tree.add_link("all", "links");
        tree.add_link("links/again", "../all");
        tree.find_runs();
        int64_t taken = 0, ignored = 0;
        tree.follow_links([&](const std::string&, const ArchiveTree::Stored&) { ++taken; },
                          [&](const std::string&, const std::string&, const std::string&) { ++ignored; });
        CHECK(taken == 3 * count);
        CHECK(ignored == count);
        return double(std::clock() - begin) / CLOCKS_PER_SEC;
    };
    const double few = follow(5000), many = follow(50000);
    CHECK_MESSAGE(many < 40 * few + 0.5, few, " s and ", many, " s");
}

TEST_CASE("image sources: a name in a zip that contains a NUL cannot be read") {
    const Pictures p;
    DatasetOptions options = p.options();
    for (const bool utf8 : {false, true}) {
        options.skip_broken = false;
        options.path = zip_of(p.folder / "set.zip", {{"a.png"}, {.name = std::string("b\0.png", 6), .utf8_flag = utf8}});
        CHECK(has(error_of([&] { load_dataset(options, threads()); }),
                  "its name cannot be read (" + options.path + "/entry 2, data.path"));
        options.skip_broken = true;
        CHECK(has(said(options), "1 unreadable folder or entry omitted: entry 2 (its name cannot be read)"));
    }
}

TEST_CASE("image sources: names in a tar are bytes in every format") {
    const Pictures p;
    // A letter with a combining accent, the precomposed letter, and a byte that is not UTF-8.
    const std::vector<Entry> entries{{"e\xcc\x81.png", image()}, {"\xc3\xa9.png", image()}, {"\xff.png", image()}};
    const std::string before = std::setlocale(LC_ALL, nullptr);
    for (const auto format : {archive_write_set_format_pax, archive_write_set_format_gnutar, archive_write_set_format_ustar}) {
        REQUIRE(std::setlocale(LC_ALL, "C.UTF-8"));  // otherwise the pax format marks its names as bytes
        const std::string file = pack_entries(p.folder / "names.tar", format, plain, entries);
        for (const char* locale : {"C", "C.UTF-8"}) {
            REQUIRE(std::setlocale(LC_ALL, locale));
            CHECK(names_in(file) == std::vector<std::string>{"e\xcc\x81.png", "\xc3\xa9.png", "\xff.png"});
        }
        std::setlocale(LC_ALL, before.c_str());
    }
}

TEST_CASE("image sources: an error about an unreadable entry name gives the number of the entry") {
    const Pictures p;
    DatasetOptions options = p.options();
    options.path = zip_of(p.folder / "set.zip", {{"a.png"}, {"b.png"}, {.name = "\xff.png", .utf8_flag = true}});
    const std::string message = error_of([&] { load_dataset(options, threads()); });
    CHECK_MESSAGE(has(message, "its name cannot be read (" + options.path + "/entry 3, data.path"), message);
    CHECK(has(message, "data.broken \"skip\""));
    options.skip_broken = true;
    Dataset set;
    const std::string lines = said(options, &set);
    CHECK_MESSAGE(has(lines, "1 unreadable folder or entry omitted: entry 3 (its name cannot be read)"), lines);
    CHECK(set.count == 2);
    CHECK_FALSE(has(lines, "others"));
    options.path = zip_of(p.folder / "none.zip", {{.name = "\xff.png", .utf8_flag = true}});
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "none of its images can be read: entry 1 ("));
}

TEST_CASE("image sources: links in an archive yield the files that they point to") {
    const Pictures p;
    const std::string grey = read_text(fixture_file("grey8.png"));
    std::vector<Entry> entries{{.name = "b/soft.png", .symlink = "../c/1.png"},  // before its target
                               {.name = "b/chain.png", .symlink = "./soft.png"},
                               {.name = "b/loop.png", .symlink = "loop.png"},
                               {.name = "b/climbs.png", .symlink = "../../c/1.png"},
                               {"a/blob", image()},
                               {"c/1.png", grey}};
    DatasetOptions options = p.options();
    for (const bool zipped : {false, true}) {
        CAPTURE(zipped);
        if (!zipped)
            entries.push_back({.name = "./a/hard.png", .hardlink = "./a/blob"}),
                entries.push_back({.name = "a/again.png", .hardlink = "a/hard.png"});
        else entries.resize(6);
        options.path = pack_entries(p.folder / "set.archive", zipped ? zip : tar, plain, entries);
        Dataset set;
        const std::string lines = said(options, &set);
        CHECK_MESSAGE(has(lines, "3 files ignored: 1 others, 2 unresolved links (the first: b/climbs.png -> ../../c/1.png)"),
                      lines);
        CHECK(set.count == (zipped ? 3 : 5));
        CHECK(set.classes == (zipped ? std::vector<std::string>{"b", "c"} : std::vector<std::string>{"a", "b", "c"}));
        const auto pixels = [&](int64_t i) {
            return std::vector<uint8_t>(set.pixels.begin() + i * 16 * 16 * 3, set.pixels.begin() + (i + 1) * 16 * 16 * 3);
        };
        for (int64_t i = 0; i < set.count; ++i) CHECK((pixels(i) == pixels(set.count - 1)) == (zipped || i >= 2));
    }
    // A file with many links is counted once per link.
    options.max_bytes = 1;
    entries = {{"1.png", std::string(1 << 18, '\0')}};
    for (int i = 0; i < 2000; ++i) entries.push_back({.name = std::to_string(i) + ".png", .hardlink = "1.png"});
    options.path = pack_entries(p.folder / "many.tgz", tar, gz, entries);
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "unpacks to more than "));
    // A repeated name in a tar is reported.
    options = p.options();
    options.path = pack_entries(p.folder / "twice.tar", tar, plain, {{"1.png", grey}, {"1.png", image()}});
    CHECK(has(said(options), "1 file ignored: 1 repeated name (1.png)"));
}

TEST_CASE("image sources: an archive with links gives the same set as its folder") {
    const Pictures p;
    const auto link = [&](const std::string& target, const std::string& name) {
        const std::string at = p.folder / ("set/" + name);
        fs::create_directories(fs::path(at).parent_path());
        fs::create_symlink(target, at);
    };
    p.add("a/1.png", "rgb.png"), p.add("a/deep/2.png", "grey8.png"), p.add("z/w/4.png", "rgb.png");
    p.add("a/run/samples/reals.png", "rgb.png");
    for (const char* file : {"a/run/config.json", "a/run/log.jsonl"}) p.folder.write(std::string("set/") + file, "{}");
    link("a", "b");                 // becomes a class
    link("../b/1.png", "c/1.png");  // through a linked folder
    link("../b/deep/../1.png", "c/5.png");
    link("../b/nothing/../1.png", "c/6.png");
    link("../a/1.png/../1.png", "c/7.png");
    link("../../set/a/1.png", "c/8.png");  // outside
    link("..", "a/deep/up");               // a cycle
    link("../../z/w", "a/deep/w");
    link("../../a", "z/w/back");
    link(".", "self");
    link("a", ".hidden");
    link("a/run", "run2"), link("a/run/samples", "pictures");
    link("empty", "to-empty");
    fs::create_directories(p.folder / "set/empty");

    std::vector<Entry> entries;
    for (const auto& found : fs::recursive_directory_iterator(p.folder / "set")) {
        const std::string name = fs::relative(found.path().parent_path(), p.folder / "set") / found.path().filename();
        if (found.is_symlink()) entries.push_back({.name = name, .symlink = fs::read_symlink(found.path())});
        else if (found.is_directory()) entries.push_back({name + "/", ""});
        else entries.push_back({name, read_text(found.path())});
    }
    // Images that cannot be opened are broken in a folder; in an archive they are counted as unresolved links.
    for (const char* dead : {"6", "7", "8"}) fs::remove(p.folder / ("set/c/" + std::string(dead) + ".png"));
    DatasetOptions options = p.options();
    Dataset folder, archive;
    std::string lines = said(options, &folder);
    CHECK(folder.classes == std::vector<std::string>{"a", "b", "c", "pictures", "z"});
    for (const auto format : {tar, zip}) {
        options.path = pack_entries(p.folder / "set.archive", format, plain, entries);
        CHECK(names_in(options.path) == names_in(p.folder / "set"));
        lines = said(options, &archive);
        CHECK(archive.classes == folder.classes);
        CHECK(archive.labels == folder.labels);
        CHECK(archive.pixels == folder.pixels);
        CHECK_MESSAGE(has(lines, " unresolved links (the first: c/6.png -> ../b/nothing/../1.png)"), lines);
    }
}

TEST_CASE("image sources: a hard link to a symbolic link, and links that multiply") {
    const Pictures p;
    DatasetOptions options = p.options();
    options.path = pack_entries(p.folder / "hard.tar", tar, plain,
                                {{"a/1.png", image()},
                                 {.name = "a/2.png", .symlink = "1.png"},
                                 {.name = "a/3.png", .hardlink = "a/2.png"},
                                 {.name = "a/4.png", .hardlink = "a/none.png"}});
    Dataset set;
    const std::string lines = said(options, &set);
    CHECK(set.count == 3);
    CHECK_MESSAGE(has(lines, "1 unresolved link (a/4.png -> a/none.png)"), lines);

    // Each level multiplies the number of paths by 2 or by 100.
    for (const int ways : {2, 100}) {
        std::vector<Entry> entries;
        for (int level = 0; level < 12; ++level)
            for (int way = 0; way < ways; ++way)
                entries.push_back(
                    {.name = std::to_string(level) + "/" + std::to_string(way), .symlink = "../" + std::to_string(level + 1)});
        entries.push_back({"12/1.png", image()});
        options.path = pack_entries(p.folder / "many.tar", tar, plain, entries);
        CHECK(has(error_of([&] { load_dataset(options, threads()); }), "more than 1000 links lead to the folder ("));
    }
    std::vector<Entry> entries;
    for (int i = 0; i < 2000; ++i) entries.push_back({"all/" + std::to_string(i) + "x.png", ""});
    for (int i = 0; i < 900; ++i) entries.push_back({.name = std::to_string(i), .symlink = "all"});
    options.path = pack_entries(p.folder / "product.tar", tar, plain, entries);
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "its links lead to far more files than it holds ("));
}

TEST_CASE("image sources: a path that no file system supports is rejected at once") {
    const Pictures p;
    std::string deep;
    for (int i = 0; i < 20000; ++i) deep += "a/";
    std::vector<Entry> entries{{"1.png", image()}};
    for (int i = 0; i < 20; ++i) entries.push_back({deep + std::to_string(i) + ".png", image()});
    DatasetOptions options = p.options();
    options.path = pack_entries(p.folder / "deep.tar", archive_write_set_format_gnutar, plain, entries);
    const std::string why = "a path of more than 4,096 bytes or 256 folders";
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), why + " (" + options.path + "/entry 2, data.path"));
    options.skip_broken = true;
    CHECK(has(said(options), "20 unreadable folders or entries omitted: entry 2 (" + why + "), "));
    options.skip_broken = false;
    for (Entry& e : entries)
        if (e.name.size() > 10) e.name += ".txt";
    pack_entries(options.path, archive_write_set_format_gnutar, plain, entries);
    CHECK(has(said(options), "20 files ignored: 20 .txt"));
}

TEST_CASE("image sources: links in a folder: two to the same place, and a cycle") {
    const Pictures p;
    p.add("../faces/1.png", "rgb.png"), p.add("../faces/2.png", "grey8.png");
    fs::create_directories(p.folder / "set");
    for (const char* name : {"a", "b"}) fs::create_directory_symlink(p.folder / "faces", p.folder / (std::string("set/") + name));
    const Dataset set = load_dataset(p.options(), threads());
    CHECK(set.count == 4);
    CHECK(set.labels == std::vector<uint8_t>{0, 0, 1, 1});
    fs::create_directory_symlink(p.folder / "set", p.folder / "faces/up");
    CHECK(names_in(p.folder / "set").size() == 4);  // the cycle is not followed again

    // Each level doubles the number of paths.
    for (int i = 0; i < 12; ++i) {
        const std::string level = p.folder / ("many/" + std::to_string(i));
        fs::create_directories(level);
        for (const char* name : {"a", "b"}) fs::create_directory_symlink("../" + std::to_string(i + 1), level + "/" + name);
    }
    p.add("../many/12/1.png", "rgb.png");
    CHECK(has(error_of([&] { names_in(p.folder / "many/0"); }), "more than 1000 links lead to the folder ("));

    fs::create_symlink(p.folder / "nothing", p.folder / "set/gone");
    CHECK(has(said(p.options()), "1 file ignored: 1 dead link (gone)"));
}

TEST_CASE("image sources: system folders are hidden") {
    const Pictures p;
    p.add("a/1.png", "rgb.png"), p.add("b/2.png", "grey8.png");
    const std::vector<std::string> kept{
        "@eaDir/1.jpg", "#recycle",  "#snapshot",   "$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information",
        "lost+found",   "__MACOSX",  ".Trash-1000", "@Recycle",     "@tmp",         "@__thumb",
        "RECYCLED",     "FOUND.000", "FOUND.013"};
    for (const std::string& name : kept) p.add(name + "/x.png", "rgb.png"), p.add("a/" + name + "/x.png", "rgb.png");
    for (const bool archived : {false, true}) {
        CAPTURE(archived);
        DatasetOptions options = p.options();
        if (archived) options.path = p.pack("set.tar", tar);
        Dataset set;
        const std::string lines = said(options, &set);
        CHECK(set.count == 2);
        CHECK(set.classes == std::vector<std::string>{"a", "b"});
        CHECK_MESSAGE(has(lines, "30 files ignored: 30 hidden"), lines);
    }
}

TEST_CASE("image sources: folders of runs in the data are ignored") {
    const Pictures p;
    p.add("1.png", "rgb.png"), p.add("2.png", "grey8.png");
    p.add("runs/one/samples/step_000000.png", "rgb.png"), p.add("runs/two/samples/reals.png", "rgb.png");
    for (const char* file :
         {"runs/one/config.json", "runs/one/checkpoint.safetensors", "runs/two/config.json", "runs/two/log.jsonl"})
        p.folder.write(std::string("set/") + file, "{}");
    p.add("mine/samples/3.png", "rgb.png");  // not a run folder, although the names match
    p.folder.write("set/mine/config.json", "{}");
    DatasetOptions options = p.options();
    Dataset set;
    std::string lines = said(options, &set);
    CHECK(set.count == 3);
    CHECK_MESSAGE(has(lines, "3 files ignored: 1 .json, 2 run folders"), lines);
    options.path = p.pack("set.zip", zip);
    lines = said(options, &set);
    CHECK(set.count == 3);
    CHECK_MESSAGE(has(lines, ", 2 run folders"), lines);
    CHECK(names_in(p.folder / "set/runs/one").size() == 1);  // the user named the folder
}

TEST_CASE("image sources: folders that cannot be entered or listed") {
    const Pictures p;
    p.add("1.png", "rgb.png"), p.add("2.png", "grey8.png");
    p.add("bad/deeper/3.png", "rgb.png");
    fs::permissions(p.folder.path, fs::perms(0755));
    const std::string bad = p.folder / "set/bad";
    DatasetOptions options = p.options();
    const auto refused = [&](int mode, bool skip) {
        options.skip_broken = skip;
        fs::permissions(bad, fs::perms(mode));
        const AsNobody nobody;
        return skip ? said(options) : error_of([&] { load_dataset(options, threads()); });
    };
    if (!AsNobody().works()) return skipped("cannot give up root's rights");
    CHECK(has(refused(0444, false), "cannot enter the folder: Permission denied (" + bad + "/deeper/, data.path"));
    CHECK(has(refused(0444, true),
              "1 unreadable folder or entry omitted: bad/deeper/ (cannot enter the folder: Permission denied)"));
    CHECK(has(refused(0000, false), "cannot list the folder: Permission denied (" + bad + "/, data.path"));
    CHECK(has(refused(0000, true), "1 unreadable folder or entry omitted: bad/ (cannot list the folder: Permission denied)"));
    fs::permissions(bad, fs::perms(0755));
    p.add("bad/4.png", "rgb.png");
    fs::remove_all(bad + "/deeper");
    CHECK(has(refused(0444, false), "a broken image, cannot open it: Permission denied (" + bad + "/4.png): "));
    CHECK(has(refused(0444, true), "1 broken image omitted: bad/4.png (cannot open it: Permission denied)"));
    fs::permissions(bad, fs::perms(0755));
    p.pack("set.tar", tar);
    fs::permissions(p.folder / "set.tar", fs::perms(0000));
    fs::permissions(p.folder / "set", fs::perms(0000));
    const auto refused_as_nobody = [&](const std::string& set, const std::string& path) {
        const AsNobody nobody;
        return error_of([&] { load_dataset({.set = set, .path = p.folder / path, .size = 16}, threads()); });
    };
    CHECK(has(refused_as_nobody("folder", "set/bad"), "cannot reach it: Permission denied ("));
    CHECK(has(refused_as_nobody("folder", "set.tar"), "cannot open the archive: Permission denied ("));
    CHECK(has(refused_as_nobody("mnist", "set"), "cannot reach it: Permission denied ("));
    fs::permissions(p.folder / "set", fs::perms(0755));

    // Deeper than the maximum length of a path.
    const std::string part(250, 'x');
    const int start = ::open((p.folder / "set").c_str(), O_RDONLY | O_DIRECTORY);
    int at = ::dup(start);
    for (int i = 0; i < 20; ++i) {
        REQUIRE(::mkdirat(at, part.c_str(), 0755) == 0);
        const int next = ::openat(at, part.c_str(), O_RDONLY | O_DIRECTORY);
        ::close(at);
        at = next;
    }
    ::close(at);
    ::close(start);
    options.skip_broken = false;
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "cannot enter the folder: File name too long ("));
    options.skip_broken = true;
    CHECK(has(said(options), "1 unreadable folder or entry omitted: "));
}

TEST_CASE("image sources: entries that are not files are counted by reason") {
    const Pictures p;
    p.add("1.png", "rgb.png");
    REQUIRE(::mkfifo((p.folder / "set/pipe.png").c_str(), 0644) == 0);
    CHECK(has(said(p.options()), "1 file ignored: 1 special file"));
    REQUIRE(::mkfifo((p.folder / "set/other").c_str(), 0644) == 0);
    CHECK(has(said(p.options()), "2 files ignored: 2 special files"));
}
