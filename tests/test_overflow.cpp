// Extents whose product overflows, and headers that are too long.
#include <doctest/doctest.h>

#include <limits>

#include "base/extents.h"
#include "base/safetensors.h"
#include "engine/nn/module.h"
#include "tests/temporary.h"

using namespace gannet;

TEST_CASE("products of extents are checked") {
    constexpr int64_t most = std::numeric_limits<int64_t>::max();
    const auto product = [](std::initializer_list<int64_t> extents) {
        int64_t n = 1;
        return multiply(n, extents) ? n : -1;
    };
    CHECK(product({}) == 1);
    CHECK(product({3, 5, 7}) == 105);
    CHECK(product({0, most, most}) == 0);
    CHECK(product({most}) == most);
    CHECK(product({most, 2}) == -1);
    CHECK(product({int64_t(1) << 32, int64_t(1) << 31}) == -1);
    CHECK(product({4, -1}) == -1);

    CHECK(SampleShape{28, 28, 3, false}.size() == 2352);
    CHECK(has(error_of([] {
                  (void)SampleShape{most, 1, 2, false}.size();
              }),
              "a sample of shape (2, 9223372036854775807, 1) has more than 2^63 values"));
    CHECK(has(error_of([] { (void)SampleShape{2147483647, 2147483647, 2147483647, false}.size(); }), "more than 2^63 values"));
    CHECK(has(error_of([] { (void)Shape{most, 2}.elements(); }), "too many elements"));
    CHECK(has(error_of([] { (void)Shape{-1, 2}.elements(); }), "too many elements"));
}

TEST_CASE("safetensors: the length of the header is limited when reading and writing") {
    const TemporaryFolder folder;
    const uint64_t length = 32'000'001;
    std::string bytes(reinterpret_cast<const char*>(&length), 8);
    CHECK(has(error_of([&] { read_safetensors(folder.write("a", bytes + std::string(length, ' '))); }),
              "its header has 32000001 bytes, more than 32000000"));
    Safetensors content;
    content.metadata["a"] = std::string(length, 'x');
    CHECK(has(error_of([&] { write_safetensors(folder / "b", content); }), "the limit is 32000000 bytes"));
    CHECK_FALSE(std::filesystem::exists(folder / "b"));
}
