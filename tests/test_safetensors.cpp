// Safetensors: round trip, files of other programs, random damage.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>

#include "base/files.h"
#include "base/safetensors.h"
#include "tests/temporary.h"

using namespace gannet;

namespace {

Safetensors sample_content() {
    Safetensors content;
    content.metadata = {{"step", "12"}, {"config", "{\"a\": \"quote \\\" and \\u00e4 ä\n\"}"}, {"empty", ""}};
    content.arrays.push_back(make_array<uint8_t>("u8", {3}, {1, 2, 3}));
    content.arrays.push_back(make_array<float>("generator.0.weight", {2, 3}, {1, -2, 3.5f, 0, 1e-30f, NAN}));
    content.arrays.push_back(make_array<int64_t>("optimizer.generator.step", {}, {-7}));
    content.arrays.push_back(make_array<double>("f64", {2, 1}, {0.1, -1e300}));
    content.arrays.push_back(make_array<float>("empty", {0, 4}, {}));
    return content;
}

std::string file_with(const std::string& header, const std::string& data) {
    const uint64_t length = header.size();
    return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

}  // namespace

TEST_CASE("safetensors: round trip") {
    TemporaryFolder folder;
    const std::string file = folder / "a.safetensors";
    const Safetensors content = sample_content();
    write_safetensors(file, content);
    const Safetensors back = read_safetensors(file);
    CHECK(back.metadata == content.metadata);
    REQUIRE(back.arrays.size() == content.arrays.size());
    for (const Array& a : content.arrays) {
        const Array* b = back.find(a.name);
        REQUIRE(b);
        CHECK(b->dtype == a.dtype);
        CHECK(b->shape == a.shape);
        CHECK(b->data == a.data);
    }
    CHECK(back.arrays[0].name == "f64");  // the widest type first
    CHECK(back.arrays.back().name == "u8");
    CHECK(back.find("absent") == nullptr);
    CHECK(values_of<int64_t>(*back.find("optimizer.generator.step"))[0] == -7);
    CHECK(has(error_of([&] { values_of<float>(back.arrays[0]); }), "f64 is F64, expected F32"));
    const std::string bytes = read_file(file);
    uint64_t length;
    std::memcpy(&length, bytes.data(), 8);
    CHECK(length % 8 == 0);
    write_safetensors(file, {});
    CHECK(read_safetensors(file).arrays.empty());

    Safetensors bad;
    bad.arrays.push_back(make_array<float>("a", {3}, std::vector<float>(2)));
    CHECK(has(error_of([&] { write_safetensors(file, bad); }), "\"a\" of F32 (3) with 8 bytes"));
    bad.arrays = {make_array<float>("a", {2}, std::vector<float>(2)), make_array<float>("a", {1}, std::vector<float>(1))};
    CHECK(has(error_of([&] { write_safetensors(file, bad); }), "two arrays called a"));
}

TEST_CASE("safetensors: an opened file gives its arrays in pieces, also after it is replaced") {
    const TemporaryFolder folder;
    const std::string file = folder / "large.safetensors";
    std::vector<float> values(600000);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i);
    write_safetensors(file,
                      {{}, {make_array<float>("large", {300, 2000}, values), make_array<uint8_t>("small", {3}, {1, 2, 3})}});
    const std::string bytes = read_file(file);
    Safetensors content = open_safetensors(file);
    write_safetensors(file, {});
    std::size_t most = 0;
    for (const Array& array : content.arrays) {
        CHECK(array.data.empty());
        array.pieces([&](const std::byte*, std::size_t count) { most = std::max(most, count); });
    }
    CHECK(most == std::size_t(1) << 20);
    write_safetensors(file, content);  // from the file that has lost its name
    CHECK(read_file(file) == bytes);
    CHECK(has(error_of([&] { values_of<float>(content.arrays[0]); }), "large is not loaded"));
    content.arrays[0].load();
    CHECK(values_of<float>(content.arrays[0]) == values);

    content.arrays[1].source = [](const TakeBytes& take) { take(nullptr, 0); };
    CHECK(has(error_of([&] { write_safetensors(file, content); }), "\"small\" is not of shape (3)"));
    CHECK(read_file(file) == bytes);
    content = open_safetensors(file);
    std::filesystem::resize_file(file, 2000000);
    CHECK(has(error_of([&] { content.arrays[0].load(); }), "it became shorter while it was read (" + file));
}

TEST_CASE("safetensors: other files, and damaged files") {
    TemporaryFolder folder;
    const auto complaint = [&](const std::string& content) {
        const std::string file = folder.write("a.safetensors", content);
        const std::string error = error_of([&] { read_safetensors(file); });
        if (!error.empty()) CHECK(has(error, file));
        return error;
    };
    const std::string four = "abcd";
    CHECK(complaint(file_with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four)) == "");
    CHECK(has(complaint(""), "not a safetensors file"));
    CHECK(has(complaint("\x89PNG\r\n\x1a\n and so on"), "not a safetensors file"));
    CHECK(has(complaint(file_with("[1]", "")), "not a JSON object"));
    CHECK(has(complaint(file_with("{\"a\":", "")), "header cannot be read"));
    CHECK(has(complaint("x"), "it has 1 byte, too few"));
    CHECK(has(complaint(file_with("{}", "x")), "1 byte follows the last array"));
    CHECK(has(complaint(file_with("{}", "xy")), "2 bytes follow the last array"));
    CHECK(has(complaint(std::string(8, '\xff')), "not a safetensors file"));
    CHECK(has(complaint(std::string("\x00\x00\x00\x05\x00\x00\x00\x00{}", 10)), "truncated"));
    CHECK(has(complaint(file_with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abc")), "truncated"));
    CHECK(has(complaint(file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", four)), "a is F32 (2) but has 4"));
    CHECK(has(complaint(file_with(R"({"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,4]}})", four)), "unknown dtype Q4"));
    CHECK(has(complaint(file_with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", four)), "not a begin and an end"));
    CHECK(has(complaint(file_with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", four + four)), "belong to none"));
    CHECK(has(complaint(file_with(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four)), "not a size"));
    CHECK(has(complaint(file_with(R"({"a":{"dtype":"F32","shape":[0.5],"data_offsets":[0,4]}})", four)), "not a size"));
    CHECK(has(complaint(file_with(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", four)), "has no dtype"));
    CHECK(has(complaint(file_with(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", four)), "no list shape"));
    CHECK(has(complaint(file_with(R"({"a":7})", "")), "has no dtype"));
    CHECK(has(complaint(file_with(R"({"__metadata__":{"a":7}})", "")), "metadata a is not a string"));
    CHECK(has(complaint(file_with(R"({"__metadata__":"a"})", "")), "not a JSON object"));
    const std::string a = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
    const std::string b = R"("b":{"dtype":"U8","shape":[4],"data_offsets":)";
    CHECK(has(complaint(file_with("{" + a + "," + b + "[2,6]}}", "abcdef")), "b overlaps another"));
    CHECK_FALSE(complaint(file_with("{" + a + "," + a + "}", four)).empty());
    // 2^62 * 8 elements wrap around to 0 bytes.
    const std::string huge = "4611686018427387904", zero = "\"data_offsets\":[0,0]}}";
    CHECK_FALSE(complaint(file_with(R"({"a":{"dtype":"F32","shape":[)" + huge + ",8]," + zero, "")).empty());
    const std::string claims = R"({"a":{"dtype":"U8","shape":[)" + huge + "],\"data_offsets\":[0," + huge + "]}}";
    CHECK(has(complaint(file_with(claims, "")), "truncated"));
    CHECK_FALSE(complaint(file_with("{\"a\":" + std::string(1000000, '['), "")).empty());
    CHECK(has(error_of([&] { read_safetensors(folder.path); }), folder.path));
    CHECK(has(error_of([&] { read_safetensors(folder / "absent"); }), "No such file"));
}

TEST_CASE("safetensors: random damage gives an Error or arrays of consistent size, never a crash") {
    TemporaryFolder folder;
    const std::string file = folder / "a.safetensors";
    write_safetensors(file, sample_content());
    const std::string good = read_file(file);
    uint64_t header;
    std::memcpy(&header, good.data(), 8);
    std::mt19937 random(7);
    int refused = 0;
    for (int round = 0; round < 4000; ++round) {
        std::string bytes = good;
        const std::size_t reach = round % 4 ? std::size_t(8 + header) : bytes.size();  // most often in the header
        for (int flips = 1 + int(random() % 4); flips > 0; --flips) {
            char& at = bytes[random() % reach];
            at = random() % 2 ? char(random()) : "0123456789{}[]\",:-"[random() % 18];
        }
        if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 16));
        folder.write("a.safetensors", bytes);
        Safetensors content;
        refused += !error_of([&] { content = read_safetensors(file); }).empty();
        for (const Array& array : content.arrays) {
            int64_t size = dtype_bytes(array.dtype);
            for (int64_t extent : array.shape) size *= extent;
            CHECK(size == int64_t(array.data.size()));
        }
    }
    CHECK(refused > 1500);
    for (std::size_t length = 0; length < good.size(); ++length) {
        folder.write("a.safetensors", good.substr(0, length));
        CHECK_FALSE(error_of([&] { read_safetensors(file); }).empty());
    }
}
