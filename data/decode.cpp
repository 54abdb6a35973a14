#include "data/decode.h"

#include <algorithm>

namespace gannet {
void check_extents(int64_t H, int64_t W, const DecodeOptions& options) {
    if (H < 1 || W < 1 || W > options.max_pixels / H)
        throw BrokenImage(std::to_string(W) + " x " + std::to_string(H) + " pixels, more than data.max_pixels (" +
                          std::to_string(options.max_pixels) + ") allows");
}

Image decode_image(const std::vector<uint8_t>& file, const DecodeOptions& options) {
    const auto starts = [&](const std::vector<uint8_t>& magic) {
        return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
    };
    if (file.empty()) throw BrokenImage("the file is empty");
    if (starts({0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'})) return decode_png(file, options);
    if (starts({0xff, 0xd8})) return decode_jpeg(file, options);
    throw BrokenImage("not a PNG or JPEG file, despite its name");
}

}  // namespace gannet
