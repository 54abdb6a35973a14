// The image files of tests/images, and what is made of them.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

inline std::string fixture_file(const std::string& name) { return "tests/images/" + name; }

inline std::string read_text(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline std::vector<uint8_t> bytes_of(const std::string& file) {
    const std::string text = read_text(file);
    return {text.begin(), text.end()};
}

// Of the chunk that begins at `at`, after it was changed.
inline void set_png_checksum(std::vector<uint8_t>& png, std::size_t at) {
    const auto big_endian = [&](std::size_t i) {
        return uint32_t(png[i]) << 24 | uint32_t(png[i + 1]) << 16 | uint32_t(png[i + 2]) << 8 | uint32_t(png[i + 3]);
    };
    const uint32_t length = big_endian(at), sum = uint32_t(crc32(0, png.data() + at + 4, uInt(length + 4)));
    for (std::size_t i = 0; i < 4; ++i) png[at + 8 + length + i] = uint8_t(sum >> (24 - 8 * i));
}
