#include "data/decode.h"

#include <algorithm>

namespace gannet {
namespace {

uint32_t number(const uint8_t* at, int bytes, bool little) {
    uint32_t n = 0;
    for (int i = 0; i < bytes; ++i) n = n << 8 | at[little ? bytes - 1 - i : i];
    return n;
}

}  // namespace

void check_extents(int64_t H, int64_t W, const DecodeOptions& options) {
    if (H < 1 || W < 1 || W > options.max_pixels / H)
        throw BrokenImage(std::to_string(W) + " x " + std::to_string(H) + " pixels, more than data.max_pixels (" +
                          std::to_string(options.max_pixels) + ") allows");
}

Picture decode_image(const std::vector<uint8_t>& file, const DecodeOptions& options) {
    const auto starts = [&](const std::vector<uint8_t>& magic) {
        return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
    };
    if (file.empty()) throw BrokenImage("the file is empty");
    if (starts({0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'})) return decode_png(file, options);
    if (starts({0xff, 0xd8})) return decode_jpeg(file, options);
    throw BrokenImage("neither a PNG nor a JPEG file, whatever its name");
}

int exif_orientation(const uint8_t* tiff, std::size_t count) {
    constexpr std::size_t entry = 12;
    if (count < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 1;
    const bool little = tiff[0] == 'I';
    const std::size_t directory = number(tiff + 4, 4, little);
    if (number(tiff + 2, 2, little) != 42 || directory > count - 2) return 1;
    const std::size_t entries = std::min<std::size_t>(number(tiff + directory, 2, little), (count - directory - 2) / entry);
    for (std::size_t i = 0; i < entries; ++i) {
        const uint8_t* at = tiff + directory + 2 + i * entry;
        constexpr uint32_t orientation = 0x0112, two_bytes = 3;
        if (number(at, 2, little) != orientation || number(at + 2, 2, little) != two_bytes) continue;
        const uint32_t value = number(at + 8, 2, little);
        return value >= 1 && value <= 8 ? int(value) : 1;
    }
    return 1;
}

}  // namespace gannet
