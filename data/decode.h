// PNG and JPEG files as pictures.
#pragma once
#include <functional>
#include <stdexcept>

#include "data/picture.h"

namespace gannet {

// Why a file cannot be decoded. The catcher adds the name of the file.
struct BrokenImage : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct DecodeOptions {
    Colour background;               // behind transparent pixels
    int64_t max_pixels = 100000000;  // more are refused before any are decoded
    // Told the extents of a picture, and how many bytes decoding takes at most, the picture included, before they are allocated.
    std::function<void(int64_t H, int64_t W, int64_t C, int64_t bytes)> reserve = {};
};

// A PNG or JPEG file of any kind, upright, with one channel where the file is grey and three otherwise. Its first bytes tell
// what it is, not its name. Throws BrokenImage for all else and for damage, an early end included.
Picture decode_image(const std::vector<uint8_t>& file, const DecodeOptions& options);

// Its two halves, and the limit of both.
Picture decode_png(const std::vector<uint8_t>& file, const DecodeOptions& options);
Picture decode_jpeg(const std::vector<uint8_t>& file, const DecodeOptions& options);
void check_extents(int64_t H, int64_t W, const DecodeOptions& options);

}  // namespace gannet
