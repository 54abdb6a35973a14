#include "data/picture.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "data/resize.h"

namespace gannet {
namespace {

uint8_t blend(int over, int under, int alpha) {  // rounded to nearest
    const int sum = over * alpha + under * (255 - alpha) + 128;
    return uint8_t((sum + (sum >> 8)) >> 8);
}

// Where the middle `part` of `whole` begins. Halves go to the even number, as Python rounds them.
int64_t margin(int64_t whole, int64_t part) { return int64_t(std::nearbyint(double(whole - part) / 2)); }

}  // namespace

Colour read_colour(const std::string& text, const std::string& where) {
    if (text == "white") return {255, 255, 255};
    if (text == "black") return {0, 0, 0};
    if (text.size() != 7 || text[0] != '#' || text.find_first_not_of("0123456789abcdefABCDEF", 1) != std::string::npos)
        throw Error("the background '" + printable(text) + "' is not a valid colour", where, "write white, black or #rrggbb");
    const unsigned long rgb = std::stoul(text.substr(1), nullptr, 16);
    return {uint8_t(rgb >> 16), uint8_t(rgb >> 8), uint8_t(rgb)};
}

void composite(uint8_t* rgb, const uint8_t* rgba, const Colour& behind) {
    rgb[0] = blend(rgba[0], behind.r, rgba[3]);
    rgb[1] = blend(rgba[1], behind.g, rgba[3]);
    rgb[2] = blend(rgba[2], behind.b, rgba[3]);
}

Image with_channels(Image picture, int64_t channels) {
    if (picture.C == channels) return picture;
    Image out{picture.H, picture.W, channels, {}};
    out.bytes.reserve(std::size_t(picture.H * picture.W * channels));
    if (channels == 3)
        for (const uint8_t v : picture.bytes) out.bytes.insert(out.bytes.end(), {v, v, v});
    else
        for (std::size_t i = 0; i < picture.bytes.size(); i += 3) {
            const uint8_t* p = &picture.bytes[i];
            out.bytes.push_back(uint8_t((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16));
        }
    return out;
}

// `orientation` is EXIF's, 1 to 8: 2 to 4 mirror or turn by 180 degrees, 5 to 8 also exchange rows and columns.
Image upright(Image picture, int orientation) {
    if (orientation <= 1 || orientation > 8) return picture;
    const int64_t H = picture.H, W = picture.W, C = picture.C;
    const bool swap = orientation >= 5, bottom_up = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7,
               right_first = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    Image out{swap ? W : H, swap ? H : W, C, std::vector<uint8_t>(picture.bytes.size())};
    uint8_t* to = out.bytes.data();
    for (int64_t y = 0; y < out.H; ++y)
        for (int64_t x = 0; x < out.W; ++x, to += C) {
            const int64_t row = swap ? x : y, column = swap ? y : x;
            const int64_t from = (bottom_up ? H - 1 - row : row) * W + (right_first ? W - 1 - column : column);
            std::copy_n(picture.bytes.data() + from * C, C, to);
        }
    return out;
}

Image cropped(const Image& picture, int64_t side) {
    Image out{side, side, picture.C, {}};
    out.bytes.reserve(std::size_t(side * side * picture.C));
    const int64_t top = margin(picture.H, side), left = margin(picture.W, side);
    for (int64_t y = 0; y < side; ++y) {
        const auto row = picture.bytes.begin() + ((top + y) * picture.W + left) * picture.C;
        out.bytes.insert(out.bytes.end(), row, row + side * picture.C);
    }
    return out;
}

Image fitted(Image picture, int64_t size) {
    if (picture.H == size && picture.W == size) return picture;
    const int64_t shorter = std::min(picture.H, picture.W);
    ResizeWindow window{size, size, 0, 0, size, size};
    (picture.H <= picture.W ? window.full_W : window.full_H) = size * std::max(picture.H, picture.W) / shorter;
    window.top = margin(window.full_H, size);
    window.left = margin(window.full_W, size);
    return {size, size, picture.C, resize_window(picture.bytes.data(), picture.H, picture.W, picture.C, window)};
}

}  // namespace gannet
