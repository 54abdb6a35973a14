// One image as bytes, and what is done to it on its way from a file into a data set.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace gannet {

struct Picture {
    int64_t H = 0, W = 0, C = 0;  // C: 1 grey, 3 colour
    std::vector<uint8_t> bytes;   // HWC
};

struct Colour {
    uint8_t r = 255, g = 255, b = 255;
};

// "white", "black" or "#rrggbb". Throws Error, which names `where`.
Colour read_colour(const std::string& text, const std::string& where);

// A pixel of four channels as one of three: where it is transparent, it shows the colour behind it. Bytes are blended as they
// are, as PIL does, not as light.
void composite(uint8_t* rgb, const uint8_t* rgba, const Colour& behind);
// One channel or three; grey is (19595 R + 38470 G + 7471 B) / 2^16, PIL's "L".
Picture with_channels(Picture picture, int64_t channels);
// Turned and mirrored so that an image with this EXIF orientation (1 to 8) stands upright.
Picture upright(Picture picture, int orientation);
// The middle `side` x `side` pixels of an image that is large enough.
Picture cropped(const Picture& picture, int64_t side);
// The shorter side becomes `size`, then the middle square is taken: torchvision's Resize and CenterCrop of PIL images.
Picture fitted(Picture picture, int64_t size);

}  // namespace gannet
