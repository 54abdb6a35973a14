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
    int64_t max_pixels = 100000000;  // larger images are refused before decoding
    // Called before memory is allocated, with the extents of a picture and the most bytes that decoding takes, picture included.
    std::function<void(int64_t H, int64_t W, int64_t C, int64_t bytes)> reserve = {};
};

// Why a file with these first bytes (8 or more, or the whole file) is neither PNG nor JPEG; "" if it is one of them.
std::string not_an_image(const std::vector<uint8_t>& start);

// Decodes a PNG or JPEG file, turned upright, with one channel if the file is grey and three otherwise. The first bytes decide
// the format, not the name. Throws BrokenImage for other formats and for damaged or truncated files.
Image decode_image(const std::vector<uint8_t>& file, const DecodeOptions& options);

// The decoders of the two formats, and the limit of both.
Image decode_png(const std::vector<uint8_t>& file, const DecodeOptions& options);
Image decode_jpeg(const std::vector<uint8_t>& file, const DecodeOptions& options);
void check_extents(int64_t H, int64_t W, const DecodeOptions& options);

}  // namespace gannet
