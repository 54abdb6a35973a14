// Labels from class folders.
#include "tests/image_sets.h"
#include "tests/nobody.h"
#include "tests/skip.h"
#include "tests/threads.h"

using namespace gannet;
namespace fs = std::filesystem;

TEST_CASE("class folders: no labels if an entry cannot be read that may be a class") {
    const Pictures p;
    for (const char* name : {"a", "b", "c"}) p.add("data/" + std::string(name) + "/1.png", "rgb.png");
    fs::create_directories(p.folder / "set/data/a/deeper");
    fs::permissions(p.folder.path, fs::perms(0755));
    if (!AsNobody().works()) return skipped("cannot give up root's rights");
    DatasetOptions options = p.options();
    options.skip_broken = true;
    options.cache = false;
    const auto closed = [&](const std::string& name) {
        fs::permissions(p.folder / ("set/data/" + name), fs::perms(0));
        Dataset set;
        {
            const AsNobody nobody;
            set = load_dataset(options, threads());
        }
        fs::permissions(p.folder / ("set/data/" + name), fs::perms(0755));
        return set;
    };
    CHECK(closed("a/deeper").labels == std::vector<uint8_t>{0, 1, 2});
    const Dataset whole = closed("b/1.png");  // an image: b keeps its number
    CHECK(whole.labels == std::vector<uint8_t>{0, 2});
    CHECK(whole.classes == std::vector<std::string>{"a", "b", "c"});
    for (const std::string name : {"a", "b", "c"}) {
        const Dataset set = closed(name);
        CHECK(set.no_labels ==
              "data/" + name + "/ may be a class, but cannot be read (cannot list the folder: Permission denied)");
        CHECK(set.count == 2);
        CHECK(set.labels.empty());
        CHECK(set.classes.empty());
    }
    fs::remove_all(p.folder / "set/data/b");
    CHECK(has(closed("a").no_labels, "all its images are in one folder"));
    p.add("data/c/x/1.png", "rgb.png"), p.add("data/c/y/1.png", "rgb.png");  // these are not the classes
    fs::remove(p.folder / "set/data/c/1.png");
    CHECK(has(closed("a").no_labels, "data/a/ may be a class"));
    p.add("data/c/a/1.png", "rgb.png");  // the classes are a, x and y if only c can be read
    CHECK(has(closed("a").no_labels, "data/a/ may be a class"));
}

TEST_CASE("class folders: no labels if a link to nothing may be a class") {
    const Pictures p;
    p.add("a/1.png", "rgb.png"), p.add("c/1.png", "rgb.png");
    fs::create_symlink("/nowhere", p.folder / "set/c/notes");  // inside a class
    CHECK(load_dataset(p.options(), threads()).labels == std::vector<uint8_t>{0, 1});
    fs::create_symlink("/nowhere", p.folder / "set/b");
    CHECK(load_dataset(p.options(), threads()).no_labels == "b may be a class, but is a link to nothing");
    const std::string image = read_text(fixture_file("rgb.png"));
    DatasetOptions options = p.options();
    options.path = pack_entries(p.folder / "set.tar", tar, plain,
                                {{.name = "a/1.png", .bytes = image},
                                 {.name = "b", .bytes = "", .symlink = "/nowhere"},
                                 {.name = "c/1.png", .bytes = image}});
    CHECK(load_dataset(options, threads()).no_labels == "b may be a class, but is a link to nothing");
}

TEST_CASE("class folders: the reason for missing labels") {
    const Pictures p;
    p.add("1.png", "rgb.png");
    Dataset set = load_dataset(p.options(), threads());
    CHECK(set.no_labels == "all its images are in one folder");
    p.add("a/1.png", "rgb.png"), p.add("b/1.png", "rgb.png");
    set = load_dataset(p.options(), threads());
    CHECK(set.no_labels == "1.png is in no class folder");
    CHECK(set.labels.empty());
    CHECK(set.classes.empty());
    p.add("2.png", "rgb.png");
    CHECK(load_dataset(p.options(), threads()).no_labels == "1.png is in no class folder, nor is 1 other");
    p.add("3.png", "rgb.png");
    CHECK(load_dataset(p.options(), threads()).no_labels == "1.png is in no class folder, nor are 2 others");
    for (const char* stray : {"1.png", "2.png", "3.png"}) fs::remove(p.folder / (std::string("set/") + stray));
    for (int i = 2; i < 256; ++i) p.add("c" + std::to_string(i) + "/1.png", "rgb.png");
    set = load_dataset(p.options(), threads());
    CHECK(set.no_labels.empty());
    CHECK(set.classes.size() == 256);
    CHECK(set.labels.size() == 256);
    CHECK(set.labels.back() == 255);
    for (int i = 0; i < 44; ++i) p.add("d" + std::to_string(i) + "/1.png", "rgb.png");
    CHECK(load_dataset(p.options(), threads()).no_labels == "300 class folders, at most 256");
    CHECK(load_dataset(p.options(), threads()).no_labels == "300 class folders, at most 256");  // also from the cache
}
