#include "base/image.h"

#include <png.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"

namespace gannet {

Image image_grid(const std::vector<uint8_t>& pixels, int64_t rows, int64_t columns, int64_t H, int64_t W, int64_t C,
                 int64_t padding) {
    if (rows < 1 || columns < 1 || H < 1 || W < 1 || C < 1 || padding < 0)
        throw Error("image_grid: " + std::to_string(rows) + " x " + std::to_string(columns) + " images of " + std::to_string(H) +
                    " x " + std::to_string(W) + " x " + std::to_string(C));
    const int64_t image = H * W * C, count = int64_t(pixels.size()) / image;
    if (int64_t(pixels.size()) % image != 0 || count > rows * columns)
        throw Error("image_grid: " + std::to_string(pixels.size()) + " bytes for " + std::to_string(rows) + " x " +
                    std::to_string(columns) + " images of " + std::to_string(image));
    Image grid{rows * (H + padding) + padding, columns * (W + padding) + padding, C, {}};
    grid.bytes.resize(std::size_t(grid.H * grid.W * C));
    for (int64_t n = 0; n < count; ++n) {
        const int64_t top = padding + n / columns * (H + padding), left = padding + n % columns * (W + padding);
        for (int64_t h = 0; h < H; ++h)
            std::copy_n(pixels.data() + n * image + h * W * C, W * C, grid.bytes.data() + ((top + h) * grid.W + left) * C);
    }
    return grid;
}

Image scatter(const std::vector<uint8_t>& points) {
    constexpr int64_t side = 258, first = 90, more = 33;  // a border of one pixel, so that each dot has nine pixels
    Image image{side, side, 1, std::vector<uint8_t>(std::size_t(side * side))};
    for (std::size_t i = 0; i + 1 < points.size(); i += 2)
        for (int64_t pixel = 0; pixel < 9; ++pixel) {
            const int64_t x = points[i] + pixel % 3, y = side - 1 - (points[i + 1] + pixel / 3);
            uint8_t& at = image.bytes[std::size_t(y * side + x)];
            at = uint8_t(std::min<int64_t>(at ? at + more : first, 255));
        }
    return image;
}

Image picture_of(const std::vector<uint8_t>& pixels, int64_t rows, int64_t columns, int64_t H, int64_t W, int64_t C) {
    return H == 1 && W == 1 && C == 2 ? scatter(pixels) : image_grid(pixels, rows, columns, H, W, C);
}

void write_png(const std::string& path, const uint8_t* bytes, int64_t H, int64_t W, int64_t C) {
    constexpr int64_t longest = 1000000;  // libpng's own limit for readers
    if ((C != 1 && C != 3) || H < 1 || W < 1 || H > longest || W > longest)
        throw Error("a PNG of " + std::to_string(H) + " x " + std::to_string(W) + " x " + std::to_string(C), path,
                    "sides are 1 to 1000000, channels 1 or 3");
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.width = png_uint_32(W);
    png.height = png_uint_32(H);
    png.format = C == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    // Encodes to memory first, so that one function writes all files and checks for full disks.
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
    std::string content(size, '\0');
    if (!png_image_write_to_memory(&png, content.data(), &size, 0, bytes, 0, nullptr))
        throw Error(std::string("cannot make a PNG: ") + png.message, path, "use a smaller grid");
    content.resize(size);
    atomic_write(path, content);
}

void write_png(const std::string& path, const Image& image) {
    if (int64_t(image.bytes.size()) != image.H * image.W * image.C)
        throw Error("write_png: " + std::to_string(image.bytes.size()) + " bytes for " + std::to_string(image.H) + " x " +
                        std::to_string(image.W) + " x " + std::to_string(image.C),
                    path);
    write_png(path, image.bytes.data(), image.H, image.W, image.C);
}

}  // namespace gannet
