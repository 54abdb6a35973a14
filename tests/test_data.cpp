// Data sets: the embedded MNIST, every kind of damaged file, resizing.
#include <doctest/doctest.h>
#include <zlib.h>

#include <cstdlib>
#include <string>

#include "data/dataset.h"
#include "data/idx.h"
#include "data/resize.h"
#include "tests/skip.h"
#include "tests/temporary.h"
#include "tests/threads.h"

using namespace gannet;

namespace {

std::string big_endian(uint32_t n) { return {char(n >> 24), char(n >> 16), char(n >> 8), char(n)}; }

std::string idx_file(const std::vector<uint32_t>& shape, const std::string& values, char type = 8) {
    std::string file{char(0), char(0), type, char(shape.size())};
    for (uint32_t extent : shape) file += big_endian(extent);
    return file + values;
}

std::string gzip(const std::string& content) {
    z_stream z{};
    REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string packed(content.size() + 1000, '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    z.avail_in = uInt(content.size());
    z.next_out = reinterpret_cast<Bytef*>(packed.data());
    z.avail_out = uInt(packed.size());
    REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
    packed.resize(z.total_out);
    deflateEnd(&z);
    return packed;
}

std::string ramp(std::size_t count) {
    std::string values;
    for (std::size_t i = 0; i < count; ++i) values += char(i * 7 % 256);
    return values;
}

}  // namespace

TEST_CASE("data: the embedded MNIST") {
    const Dataset train = load_dataset({}, threads());
    CHECK(train.count == 60000);
    CHECK(train.H == 28);
    CHECK(train.W == 28);
    CHECK(train.C == 1);
    CHECK(train.pixels.size() == 60000 * 784);
    CHECK(train.labels.size() == 60000);
    CHECK(std::vector<uint8_t>(train.labels.begin(), train.labels.begin() + 5) == std::vector<uint8_t>{5, 0, 4, 1, 9});
    CHECK(crc32(0, train.pixels.data(), uInt(train.pixels.size())) == 0xf3639b56u);
    DatasetOptions options;
    options.split = "test";
    options.first = 100;
    options.size = 32;
    const Dataset test = load_dataset(options, threads());
    CHECK(test.count == 100);
    CHECK(test.H == 32);
    CHECK(test.pixels.size() == 100 * 32 * 32);
    CHECK(test.labels.size() == 100);
    CHECK(dataset_info(options).H == 32);
    CHECK(dataset_info({}).W == 28);
}

TEST_CASE("data: options out of range") {
    DatasetOptions options;
    options.where = [](const std::string&) { return "data.set, model.json:3"; };
    options.set = "mnits";
    std::string error = error_of([&] { load_dataset(options, threads()); });
    CHECK(has(error, "unknown data set \"mnits\" (data.set, model.json:3): did you mean \"mnist\"?"));
    CHECK(has(error, "fashion-mnist"));
    options.set = "something-else";
    CHECK_FALSE(has(error_of([&] { load_dataset(options, threads()); }), "did you mean"));
    options.set = "mnist";
    options.split = "validation";
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "unknown split \"validation\""));
    options.split = "test";
    options.first = 10001;
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "mnist has 10000"));
    CHECK(has(error_of([&] { dataset_info(options); }), "the first 10001 images are requested, mnist has 10000"));  // summary
    options.first = -1;
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "first -1"));
    options.first = 0;
    options.size = -5;
    CHECK(has(error_of([&] { dataset_info(options); }), "size -5"));
    options.size = 100000;
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "size 100000"));
    options.size = 0;
    options.channels = 2;
    CHECK(has(error_of([&] { dataset_info(options); }), "2 channels"));
}

TEST_CASE("data: search for files") {
    TemporaryFolder folder;
    DatasetOptions options;
    options.path = folder.path;
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "no file train-images-idx3-ubyte[.gz] in " + folder.path));
    folder.write("train-images-idx3-ubyte", idx_file({2, 3, 4}, ramp(24)));
    Dataset set = load_dataset(options, threads());  // labels are optional
    CHECK(set.count == 2);
    CHECK(set.H == 3);
    CHECK(set.W == 4);
    CHECK(set.labels.empty());
    CHECK(set.pixels[1] == 7);
    folder.write("train-labels-idx1-ubyte", idx_file({3}, "abc"));
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), "2 images but 3 labels"));

    // GANNET_DATA replaces the folder data/.
    std::filesystem::create_directories(folder / "mnist");
    folder.write("mnist/train-images.idx3-ubyte", gzip(idx_file({1, 2, 2}, "wxyz")));
    const char* old = std::getenv("GANNET_DATA");
    const std::string saved = old ? old : "";
    ::setenv("GANNET_DATA", folder.path.c_str(), 1);
    options.path = "";
    set = load_dataset(options, threads());
    CHECK(set.count == 1);
    CHECK(set.pixels == std::vector<uint8_t>{'w', 'x', 'y', 'z'});
    CHECK(dataset_info(options).C == 1);
    options.channels = 3;
    set = load_dataset(options, threads());
    CHECK(set.C == 3);
    CHECK(dataset_info(options).C == 3);
    CHECK(set.pixels == std::vector<uint8_t>{'w', 'w', 'w', 'x', 'x', 'x', 'y', 'y', 'y', 'z', 'z', 'z'});
    options.split = "test";
    CHECK(has(error_of([&] { load_dataset(options, threads()); }), folder / "mnist"));
    old ? ::setenv("GANNET_DATA", saved.c_str(), 1) : ::unsetenv("GANNET_DATA");
}

TEST_CASE("data: Fashion-MNIST") {
    DatasetOptions options;
    options.set = "fashion-mnist";
    const std::string error = error_of([&] {
        const Dataset set = load_dataset(options, threads());
        CHECK(set.count == 60000);
        CHECK(set.labels[0] == 9);
    });
    if (error.empty()) return;
    CHECK(has(error, "apt install dataset-fashion-mnist"));
    CHECK(has(error, "data.path"));
    skipped("Fashion-MNIST is not installed");
}

TEST_CASE("data: damaged IDX files") {
    TemporaryFolder folder;
    const std::string good = idx_file({2, 3, 4}, ramp(24));
    const auto complaint = [&](const std::string& content, int axes = 3) {
        const std::string file = folder.write("file", content);
        const std::string error = error_of([&] { read_idx(file, axes); });
        if (!error.empty()) CHECK(has(error, file));
        return error;
    };
    CHECK(complaint(good) == "");
    CHECK(complaint(gzip(good)) == "");
    CHECK(complaint(gzip(good.substr(0, 9)) + gzip(good.substr(9))) == "");  // several gzip members are concatenated

    CHECK(has(complaint(""), "empty"));
    CHECK(has(complaint(good.substr(0, 3)), "ends inside its header"));
    CHECK(has(complaint(good.substr(0, 15)), "ends inside its header"));
    CHECK(has(complaint("\x89PNG and so on"), "starts with 89504e47, expected 00000803, images"));
    CHECK(has(complaint(idx_file({2, 3, 4}, ramp(96), 0x0d)), "32-bit floats"));
    CHECK(has(complaint(idx_file({2, 3, 4}, ramp(24), 0x0a)), "expected 00000803"));
    CHECK(has(complaint(idx_file({24}, ramp(24))), "1 axis"));
    CHECK(has(complaint(good, 1), "3 axes"));
    CHECK(has(complaint(good, 1), "exchanged"));
    CHECK(has(complaint(idx_file({}, "")), "expected"));

    CHECK(has(complaint(good.substr(0, good.size() - 1)), "2 x 3 x 4 = 24 values, the file has 23"));
    CHECK(has(complaint(good.substr(0, 16)), "the file has 0"));
    CHECK(has(complaint(good + "x"), "has more bytes"));
    CHECK(has(complaint(idx_file({0, 3, 4}, "")), "0 x 3 x 4"));
    CHECK(has(complaint(idx_file({2, 0, 4}, "")), "2 x 0 x 4"));
    // Extents whose product is terabytes or overflows must not be allocated.
    CHECK(has(complaint(idx_file({0xffffffff, 16384, 16384}, ramp(24))), "truncated"));
    CHECK(has(complaint(gzip(idx_file({0xffffffff, 16384, 16384}, ramp(24)))), "truncated"));
    CHECK(has(complaint(idx_file({0xffffffff, 0xffffffff, 0xffffffff}, ramp(24))), "sides of 1 to 16384"));

    const std::string packed = gzip(idx_file({2, 30, 40}, ramp(2400)));
    for (std::size_t length = 10; length < packed.size(); length += 7)
        CHECK(has(complaint(packed.substr(0, length)), "truncated"));
    CHECK(has(complaint(packed + "more"), "follow the end of the gzip data"));
    CHECK(has(complaint(packed + packed), "has more bytes"));
    CHECK(has(complaint(gzip(good.substr(0, 20))), "the file has 4"));
    CHECK(has(complaint(gzip(good + "x")), "has more bytes"));
    std::string flipped = packed;
    flipped[packed.size() - 6] ^= 1;  // in the checksum
    CHECK(has(complaint(flipped), "damaged"));
    for (std::size_t i = 10; i < packed.size(); ++i) {
        flipped = packed;
        flipped[i] ^= 0x55;
        CHECK_FALSE(complaint(flipped).empty());
    }

    CHECK(has(error_of([&] { read_idx(folder.path, 3); }), "not a file"));
    CHECK(has(error_of([&] { read_idx(folder / "absent", 3); }), "cannot open"));
}

// Expected values are from PIL: Image.fromarray(v).resize((W, H), Image.BILINEAR), Pillow 13.0.
TEST_CASE("data: resizing equals PIL's") {
    std::vector<uint8_t> v;
    for (int y = 0; y < 5; ++y)
        for (int x = 0; x < 7; ++x) v.push_back(uint8_t((37 * y * y + 91 * x + 13 * x * y * y + 5) % 256));
    using Bytes = std::vector<uint8_t>;
    CHECK(resize_images(v.data(), 1, 5, 7, 1, 3, 3, threads()) == Bytes{104, 123, 123, 112, 147, 144, 111, 156, 68});
    const Bytes wide = resize_images(v.data(), 1, 5, 7, 1, 2, 9, threads());  // PIL rounds in another order here
    const Bytes expected{57, 86, 151, 182, 72, 151, 140, 120, 133, 97, 79, 130, 198, 168, 129, 96, 89, 110};
    for (std::size_t i = 0; i < 18; ++i) CHECK(std::abs(int(wide[i]) - int(expected[i])) <= 1);
    CHECK(resize_images(v.data(), 1, 5, 7, 1, 4, 1, threads()) == Bytes{109, 140, 135, 116});
    CHECK(resize_images(v.data(), 1, 5, 7, 1, 8, 8, threads()) ==
          Bytes{5,   79,  159, 94, 62,  141, 173, 39,  21,  100, 185, 125, 98,  147, 128, 89,  49,  123, 213, 162, 143, 156,
                74,  160, 118, 82, 163, 133, 136, 171, 109, 215, 131, 55,  150, 149, 146, 163, 115, 183, 86,  44,  175, 209,
                171, 134, 91,  62, 84,  86,  166, 204, 144, 65,  68,  71,  85,  120, 158, 195, 121, 14,  52,  87});
    CHECK(resize_images(v.data(), 1, 5, 7, 1, 5, 7, threads()) == v);
    CHECK(resize_images(v.data(), 1, 5, 7, 1, 4, 1, threads(), 3) ==
          Bytes{109, 109, 109, 140, 140, 140, 135, 135, 135, 116, 116, 116});

    // Channels and images are resized independently.
    Bytes colour(2 * 35 * 3, 9);
    for (std::size_t i = 0; i < 35; ++i) colour[(35 + i) * 3 + 1] = v[i];
    const Bytes small = resize_images(colour.data(), 2, 5, 7, 3, 3, 3, threads()),
                one = resize_images(v.data(), 1, 5, 7, 1, 3, 3, threads());
    for (std::size_t i = 0; i < 9; ++i) {
        CHECK(small[i * 3 + 1] == 9);
        CHECK(small[(9 + i) * 3] == 9);
        CHECK(small[(9 + i) * 3 + 1] == one[i]);
    }
}
