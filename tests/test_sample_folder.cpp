// The contents of a folder of samples, before new samples are written.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "engine/run/sample_folder.h"
#include "tests/temporary.h"

using namespace gannet;

TEST_CASE("sample folder: samples, other images, and folders that cannot be listed") {
    const TemporaryFolder folder;
    CHECK(content_of(folder / "none").samples.empty());
    CHECK(
        has(error_of([&] { content_of(folder.write("file", "")); }), "cannot list the folder: Not a directory (" + folder.path));
    const std::string set = folder / "set";
    std::filesystem::create_directories(set + "/below/000003.png");  // a folder
    for (const char* name : {"000002.png", "000001.png", "1.png", "below/000001.png", "below/2.jpg", "below/3.txt"})
        folder.write("set/" + std::string(name), "");
    std::filesystem::create_directory_symlink("..", set + "/below/up");
    FolderContent content = content_of(set);
    CHECK(content.samples == std::vector<int64_t>{1, 2});
    CHECK(content.other_images == 3);
    CHECK(content.unlisted.empty());

    // Deeper than the maximum length of a path, so that root cannot list it either.
    const std::string part(250, 'x');
    int at = ::open(set.c_str(), O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 20; ++i) {
        REQUIRE(::mkdirat(at, part.c_str(), 0755) == 0);
        const int next = ::openat(at, part.c_str(), O_RDONLY | O_DIRECTORY);
        ::close(at);
        at = next;
    }
    ::close(at);
    content = content_of(set);
    CHECK(content.samples.size() == 2);
    REQUIRE(content.unlisted.size() == 1);
    CHECK(content.unlisted[0].second == "File name too long");
}
