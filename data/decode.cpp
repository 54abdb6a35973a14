#include "data/decode.h"

#include <algorithm>

namespace gannet {
void check_extents(int64_t H, int64_t W, const DecodeOptions& options) {
    if (H < 1 || W < 1 || W > options.max_pixels / H)
        throw BrokenImage(std::to_string(W) + " x " + std::to_string(H) + " pixels, more than data.max_pixels (" +
                          std::to_string(options.max_pixels) + ") allows");
}

namespace {

bool starts(const std::vector<uint8_t>& file, const std::vector<uint8_t>& magic) {
    return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
}
bool is_png(const std::vector<uint8_t>& file) { return starts(file, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}); }

}  // namespace

std::string not_an_image(const std::vector<uint8_t>& start) {
    if (start.empty()) return "the file is empty";
    return is_png(start) || starts(start, {0xff, 0xd8}) ? "" : "not a PNG or JPEG file, despite its name";
}

Image decode_image(const std::vector<uint8_t>& file, const DecodeOptions& options) {
    if (const std::string why = not_an_image(file); !why.empty()) throw BrokenImage(why);
    return is_png(file) ? decode_png(file, options) : decode_jpeg(file, options);
}

}  // namespace gannet
