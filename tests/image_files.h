// The image files of tests/images, and modified copies of them.
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

// Updates the checksum of the chunk at `at`.
inline void set_png_checksum(std::vector<uint8_t>& png, std::size_t at) {
    const auto big_endian = [&](std::size_t i) {
        return uint32_t(png[i]) << 24 | uint32_t(png[i + 1]) << 16 | uint32_t(png[i + 2]) << 8 | uint32_t(png[i + 3]);
    };
    const uint32_t length = big_endian(at), sum = uint32_t(crc32(0, png.data() + at + 4, uInt(length + 4)));
    for (std::size_t i = 0; i < 4; ++i) png[at + 8 + length + i] = uint8_t(sum >> (24 - 8 * i));
}

// An 8-bit grey PNG whose pixel (y, x) is y * 25 + x * 7.
inline std::vector<uint8_t> png_of(int64_t H, int64_t W, bool interlaced) {
    std::vector<uint8_t> file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const auto add_chunk = [&](const char* type, const std::vector<uint8_t>& data) {
        const std::size_t at = file.size();
        for (int shift = 24; shift >= 0; shift -= 8) file.push_back(uint8_t(data.size() >> shift));
        file.insert(file.end(), type, type + 4);
        file.insert(file.end(), data.begin(), data.end());
        file.resize(file.size() + 4);
        set_png_checksum(file, at);
    };
    std::vector<uint8_t> head, rows;
    for (const int64_t side : {W, H})
        for (int shift = 24; shift >= 0; shift -= 8) head.push_back(uint8_t(side >> shift));
    head.insert(head.end(), {8, 0, 0, 0, uint8_t(interlaced)});
    const auto add_rows = [&](int64_t top, int64_t left, int64_t rows_apart, int64_t columns_apart) {
        for (int64_t y = top; y < H && left < W; y += rows_apart) {
            rows.push_back(0);
            for (int64_t x = left; x < W; x += columns_apart) rows.push_back(uint8_t(y * 25 + x * 7));
        }
    };
    if (interlaced) {
        add_rows(0, 0, 8, 8), add_rows(0, 4, 8, 8), add_rows(4, 0, 8, 4), add_rows(0, 2, 4, 4), add_rows(2, 0, 4, 2);
        add_rows(0, 1, 2, 2), add_rows(1, 0, 2, 1);
    } else {
        add_rows(0, 0, 1, 1);
    }
    uLongf size = compressBound(rows.size());
    std::vector<uint8_t> packed(size);
    compress2(packed.data(), &size, rows.data(), rows.size(), 1);
    packed.resize(size);
    add_chunk("IHDR", head);
    add_chunk("IDAT", packed);
    add_chunk("IEND", {});
    return file;
}
