// Images of any size and kind in one colour, so that their files are small.
#pragma once
#include <png.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

// must follow cstdio
#include <jpeglib.h>

constexpr std::string_view exif_turned("MM\0\x2a\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", 26);  // orientation 6

struct PngKind {
    int depth = 8, type = PNG_COLOR_TYPE_RGB;
    bool interlaced = false, turned = false;  // `turned`: the orientation follows the pixels
};

inline std::vector<uint8_t> large_png(int width, int height, const PngKind& kind) {
    std::vector<uint8_t> bytes;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
    png_infop info = png_create_info_struct(png);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(
        png, &bytes,
        [](png_structp p, png_bytep from, png_size_t count) {
            auto& to = *static_cast<std::vector<uint8_t>*>(png_get_io_ptr(p));
            to.insert(to.end(), from, from + count);
        },
        nullptr);
    png_set_IHDR(png, info, png_uint_32(width), png_uint_32(height), kind.depth, kind.type,
                 kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, 1);
    png_write_info(png, info);
    const int passes = png_set_interlace_handling(png);
    const std::vector<uint8_t> row(png_get_rowbytes(png, info));
    for (int y = 0; y < passes * height; ++y) png_write_row(png, row.data());
    if (kind.turned)
        png_write_chunk(png, reinterpret_cast<png_const_bytep>("eXIf"), reinterpret_cast<png_const_bytep>(exif_turned.data()),
                        exif_turned.size());
    png_write_end(png, nullptr);
    png_destroy_write_struct(&png, &info);
    return bytes;
}

// One row of 16-bit pixels with four channels: libpng keeps two rows, each twice as large as the decoded picture.
inline std::vector<uint8_t> wide_png(int width) { return large_png(width, 1, {.depth = 16, .type = PNG_COLOR_TYPE_RGB_ALPHA}); }

struct JpegKind {
    int components = 3;
    bool progressive = false, subsampled = false, turned = false;
};

inline std::vector<uint8_t> large_jpeg(int width, int height, const JpegKind& kind) {
    jpeg_compress_struct jpeg{};
    jpeg_error_mgr errors{};
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    unsigned char* out = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&jpeg, &out, &size);
    jpeg.image_width = JDIMENSION(width);
    jpeg.image_height = JDIMENSION(height);
    jpeg.input_components = kind.components;
    jpeg.in_color_space = kind.components == 1 ? JCS_GRAYSCALE : kind.components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    if (!kind.subsampled) jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
    if (kind.progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    if (kind.turned) {
        const std::string text = std::string("Exif\0\0", 6) + std::string(exif_turned);
        const std::vector<uint8_t> app1(text.begin(), text.end());
        jpeg_write_marker(&jpeg, JPEG_APP0 + 1, app1.data(), unsigned(app1.size()));
    }
    std::vector<uint8_t> row(std::size_t(width * kind.components), 128);
    uint8_t* rows[] = {row.data()};
    for (int y = 0; y < height; ++y) jpeg_write_scanlines(&jpeg, rows, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    std::vector<uint8_t> bytes(out, out + size);
    std::free(out);
    return bytes;
}

// The decoder keeps two bytes for each coefficient of the whole image.
inline std::vector<uint8_t> progressive_jpeg(int side) { return large_jpeg(side, side, {.progressive = true}); }
