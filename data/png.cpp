#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include "data/decode.h"
#include "data/orientation.h"

namespace gannet {
namespace {

constexpr png_byte metadata_chunks[] = "eXIf\0tEXt\0zTXt\0iTXt";

// libpng reports failure with longjmp. Everything with a destructor is in this struct, so that no jump skips a destructor.
struct PngReader {
    png_structp png = nullptr;
    png_infop info = nullptr;
    const uint8_t* at = nullptr;
    std::size_t left = 0;
    char complaint[160] = "";
    Orientation orientation;
    std::vector<uint8_t> row;
    Image picture;
    bool no_memory = false;

    ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }

    static void fail(png_structp png, png_const_charp message) {
        auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
        std::snprintf(reader->complaint, sizeof reader->complaint, "%s", message);
        png_longjmp(png, 1);
    }
    static void ignore(png_structp, png_const_charp) {}
    static void* allocate(png_structp png, png_alloc_size_t bytes) {
        void* data = std::malloc(bytes);
        if (!data) static_cast<PngReader*>(png_get_mem_ptr(png))->no_memory = true;
        return data;
    }
    static void release(png_structp, void* data) { std::free(data); }
    static void read(png_structp png, png_bytep to, png_size_t count) {
        auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
        if (count > reader->left) png_error(png, "the file is cut short");
        std::memcpy(to, reader->at, count);
        reader->at += count;
        reader->left -= count;
    }

    // Keeps only the metadata that are used: a file may hold any amount.
    static int metadata(png_structp png, png_unknown_chunkp chunk) {
        auto* reader = static_cast<PngReader*>(png_get_user_chunk_ptr(png));
        try {
            reader->orientation.png_chunk(reinterpret_cast<const char*>(chunk->name),
                                          {reinterpret_cast<const char*>(chunk->data), chunk->size});
        } catch (const std::bad_alloc&) {
            reader->no_memory = true;
            return -1;  // an error
        }
        return 1;  // done with it
    }

    template <class Steps>
    void guarded(Steps&& steps) {
        const int failed = setjmp(png_jmpbuf(png));
        if (failed && no_memory) throw std::bad_alloc();  // not an error of the file
        if (failed) throw BrokenImage(std::string("damaged PNG: ") + complaint);
        steps();
        if (no_memory) throw std::bad_alloc();  // libpng skips a chunk if it runs out of memory
    }
};

// The places of a row's pixels in the image. An interlaced image has seven passes, each a smaller image.
struct Pass {
    int64_t top = 0, left = 0, rows_apart = 1, columns_apart = 1, H = 0, W = 0;
};

std::vector<Pass> passes_of(int64_t H, int64_t W, bool interlaced) {
    if (!interlaced) return {{0, 0, 1, 1, H, W}};
    std::vector<Pass> passes;
    for (int i = 0; i < PNG_INTERLACE_ADAM7_PASSES; ++i) {
        const Pass pass{PNG_PASS_START_ROW(i),  PNG_PASS_START_COL(i), PNG_PASS_ROW_OFFSET(i),
                        PNG_PASS_COL_OFFSET(i), PNG_PASS_ROWS(H, i),   PNG_PASS_COLS(W, i)};
        if (pass.H > 0 && pass.W > 0) passes.push_back(pass);
    }
    return passes;
}

// Whether metadata follow the pixels: then it is known too late which way up the picture is.
bool has_late_metadata(const std::vector<uint8_t>& file) {
    bool pixels = false;
    for (std::size_t at = 8; at + 8 <= file.size();) {
        const std::string_view type(reinterpret_cast<const char*>(file.data()) + at + 4, 4);
        pixels = pixels || type == "IDAT";
        if (pixels && (type == "eXIf" || type == "tEXt" || type == "zTXt" || type == "iTXt")) return true;
        at += 12 + std::size_t(png_get_uint_32(file.data() + at));
    }
    return false;
}

// The picture (twice if it is turned), two rows of up to 16 bits and four channels in libpng, one row here, and a part that does
// not depend on the extents.
int64_t bytes_to_decode(int64_t H, int64_t W, int64_t C, bool turned) {
    constexpr int64_t rows = 2 * 8 + 4, fixed = 1 << 20;
    return H * W * C * (turned ? 2 : 1) + rows * W + fixed;
}

uint8_t* place_of(Image& picture, const Pass& pass, int64_t y) {
    return picture.bytes.data() + ((pass.top + y * pass.rows_apart) * picture.W + pass.left) * picture.C;
}

// `row` has C channels; four channels are blended with the background into the picture's three.
void put_row(Image& picture, const Pass& pass, int64_t y, const uint8_t* row, int64_t C, const Colour& behind) {
    uint8_t* to = place_of(picture, pass, y);
    for (int64_t x = 0; x < pass.W; ++x, row += C, to += pass.columns_apart * picture.C)
        if (C == 4) composite(to, row, behind);
        else std::copy_n(row, C, to);
}

}  // namespace

Image decode_png(const std::vector<uint8_t>& file, const DecodeOptions& options) {
    PngReader r;
    r.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r, PngReader::fail, PngReader::ignore, &r, PngReader::allocate,
                                     PngReader::release);
    r.info = r.png ? png_create_info_struct(r.png) : nullptr;
    if (!r.info) throw std::bad_alloc();
    r.at = file.data();
    r.left = file.size();
    r.guarded([&] {
        png_set_read_fn(r.png, &r, PngReader::read);
        png_set_user_limits(r.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);       // check_extents has the limit
        png_set_crc_action(r.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);  // transparency is ancillary too
        png_set_read_user_chunk_fn(r.png, &r, PngReader::metadata);
        png_set_keep_unknown_chunks(r.png, PNG_HANDLE_CHUNK_ALWAYS, metadata_chunks, 4);
        png_read_info(r.png, r.info);
    });
    const int64_t H = png_get_image_height(r.png, r.info), W = png_get_image_width(r.png, r.info);
    check_extents(H, W, options);
    const int color_type = png_get_color_type(r.png, r.info);
    const bool alpha = png_get_valid(r.png, r.info, PNG_INFO_tRNS) || color_type & PNG_COLOR_MASK_ALPHA;
    r.picture = {H, W, alpha || color_type & PNG_COLOR_MASK_COLOR ? 3 : 1, {}};
    if (options.reserve)
        options.reserve(H, W, r.picture.C,
                        bytes_to_decode(H, W, r.picture.C, r.orientation.value() > 1 || has_late_metadata(file)));
    // To eight bits, palettes expanded, transparency of every kind as an alpha channel. Colour profiles and gamma are ignored, as
    // in PIL.
    r.guarded([&] {
        png_set_expand(r.png);
        png_set_scale_16(r.png);
        if (alpha) png_set_gray_to_rgb(r.png);
        png_read_update_info(r.png, r.info);
    });
    const int64_t C = png_get_channels(r.png, r.info);
    if (png_get_bit_depth(r.png, r.info) != 8 || C != (alpha ? 4 : r.picture.C) ||
        int64_t(png_get_rowbytes(r.png, r.info)) != W * C)
        throw BrokenImage("a PNG of an unknown kind");
    r.picture.bytes.resize(std::size_t(H * W * r.picture.C));
    const bool interlaced = png_get_interlace_type(r.png, r.info) != PNG_INTERLACE_NONE;
    if (interlaced || C == 4) r.row.resize(std::size_t(W * C));
    const std::vector<Pass> passes = passes_of(H, W, interlaced);
    r.guarded([&] {
        for (const Pass& pass : passes)
            for (int64_t y = 0; y < pass.H; ++y) {
                const bool in_place = pass.columns_apart == 1 && C != 4;
                png_read_row(r.png, in_place ? place_of(r.picture, pass, y) : r.row.data(), nullptr);
                if (!in_place) put_row(r.picture, pass, y, r.row.data(), C, options.background);
            }
        png_read_end(r.png, r.info);  // data after the pixels may be missing, too
    });
    return upright(std::move(r.picture), r.orientation.value());
}

}  // namespace gannet
