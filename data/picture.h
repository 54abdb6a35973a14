// The conversions of an image between a file and a data set.
#pragma once
#include <cstdint>
#include <string>

#include "base/image.h"

namespace gannet {

struct Colour {
    uint8_t r = 255, g = 255, b = 255;
};

// "white", "black" or "#rrggbb". Throws Error, which names `where`.
Colour read_colour(const std::string& text, const std::string& where);

// Converts a pixel of four channels to three by blending it with the background colour. Blends the bytes directly, as PIL does,
// without gamma.
void composite(uint8_t* rgb, const uint8_t* rgba, const Colour& behind);
// One channel or three; grey is (19595 R + 38470 G + 7471 B) / 2^16, PIL's "L".
Image with_channels(Image picture, int64_t channels);
// Rotates and mirrors an image with this EXIF orientation (1 to 8) so that it is upright.
Image upright(Image picture, int orientation);
// The centre `side` x `side` pixels of a sufficiently large image.
Image cropped(const Image& picture, int64_t side);
// Resizes the shorter side to `size`, then crops the centre square: torchvision's Resize and CenterCrop of PIL images.
Image fitted(Image picture, int64_t size);

}  // namespace gannet
