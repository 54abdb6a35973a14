// Images as bytes: grids of them, plots of points, PNG files.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace gannet {

struct Image {
    int64_t H = 0, W = 0, C = 0;  // C: 1 grey, 3 colour
    std::vector<uint8_t> bytes;   // HWC
};

// NHWC images in rows, left to right, with `padding` black pixels around each. Cells without an image stay black.
Image image_grid(const std::vector<uint8_t>& pixels, int64_t rows, int64_t columns, int64_t H, int64_t W, int64_t C,
                 int64_t padding = 2);

// Points (x, y) of two bytes each as white dots on black, 0 to 255 from left to right and from bottom to top. Overlapping dots
// are brighter.
Image scatter(const std::vector<uint8_t>& points);
// The picture for images of this shape: a grid, or a scatter plot of points (1 x 1 x 2).
Image picture_of(const std::vector<uint8_t>& pixels, int64_t rows, int64_t columns, int64_t H, int64_t W, int64_t C);

// Replaces the file completely or not at all. Throws Error for sizes that PNG does not support and for files that cannot be
// written.
void write_png(const std::string& path, const uint8_t* bytes, int64_t H, int64_t W, int64_t C);
void write_png(const std::string& path, const Image& image);

}  // namespace gannet
