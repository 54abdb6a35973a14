#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "data/decode.h"

namespace gannet {
namespace {

// libpng reports failure by a jump. All that has a destructor is in here, so that no jump passes one.
struct PngReader {
    png_structp png = nullptr;
    png_infop info = nullptr;
    const uint8_t* at = nullptr;
    std::size_t left = 0;
    char complaint[160] = "";
    std::vector<uint8_t> bytes;
    std::vector<png_bytep> rows;

    ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }

    static void fail(png_structp png, png_const_charp message) {
        auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
        std::snprintf(reader->complaint, sizeof reader->complaint, "%s", message);
        png_longjmp(png, 1);
    }
    static void ignore(png_structp, png_const_charp) {}
    static void read(png_structp png, png_bytep to, png_size_t count) {
        auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
        if (count > reader->left) png_error(png, "the file is cut short");
        std::memcpy(to, reader->at, count);
        reader->at += count;
        reader->left -= count;
    }

    template <class Steps>
    void guarded(Steps&& steps) {
        if (setjmp(png_jmpbuf(png))) throw BrokenImage(std::string("damaged PNG: ") + complaint);
        steps();
    }
};

}  // namespace

Picture decode_png(const std::vector<uint8_t>& file, const DecodeOptions& options) {
    PngReader r;
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, PngReader::fail, PngReader::ignore);
    r.info = r.png ? png_create_info_struct(r.png) : nullptr;
    if (!r.info) throw std::bad_alloc();
    r.at = file.data();
    r.left = file.size();
    r.guarded([&] {
        png_set_read_fn(r.png, &r, PngReader::read);
        png_set_user_limits(r.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);       // check_extents has the limit
        png_set_crc_action(r.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);  // transparency is ancillary too
        png_read_info(r.png, r.info);
    });
    const int64_t H = png_get_image_height(r.png, r.info), W = png_get_image_width(r.png, r.info);
    check_extents(H, W, options);
    // To eight bits, palettes expanded, transparency of every kind as an alpha channel. Colour profiles and gamma are left
    // alone, as PIL leaves them.
    r.guarded([&] {
        const bool alpha =
            png_get_valid(r.png, r.info, PNG_INFO_tRNS) || png_get_color_type(r.png, r.info) & PNG_COLOR_MASK_ALPHA;
        png_set_expand(r.png);
        png_set_scale_16(r.png);
        if (alpha) png_set_gray_to_rgb(r.png);
        png_set_interlace_handling(r.png);
        png_read_update_info(r.png, r.info);
    });
    const int64_t C = png_get_channels(r.png, r.info);
    if (png_get_bit_depth(r.png, r.info) != 8 || (C != 1 && C != 3 && C != 4) ||
        int64_t(png_get_rowbytes(r.png, r.info)) != W * C)
        throw BrokenImage("a PNG of an unknown kind");
    r.bytes.resize(std::size_t(H * W * C));
    for (int64_t y = 0; y < H; ++y) r.rows.push_back(r.bytes.data() + y * W * C);
    png_bytep exif = nullptr;
    png_uint_32 exif_bytes = 0;
    r.guarded([&] {
        png_read_image(r.png, r.rows.data());
        png_read_end(r.png, r.info);  // what follows the pixels may be missing too
        png_get_eXIf_1(r.png, r.info, &exif_bytes, &exif);
    });
    Picture picture{H, W, C, std::move(r.bytes)};
    if (C == 4) picture = composited(picture, options.background);
    return upright(std::move(picture), exif ? exif_orientation(exif, exif_bytes) : 1);
}

}  // namespace gannet
