#include <cstddef>
#include <cstdio>
// Each of these headers needs the ones above it.
#include <jpeglib.h>
// The numbers of messages depend on how the library was built.
#include <jerror.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <new>

#include "data/decode.h"
#include "data/orientation.h"

namespace gannet {
namespace {

constexpr int most_scans = 500;  // each scan, even of a few bytes, makes the decoder process the whole image again

// libjpeg reports failure with longjmp. Everything with a destructor is in this struct, so that no jump skips a destructor.
struct JpegReader {
    jpeg_decompress_struct jpeg{};
    jpeg_error_mgr errors{};
    jpeg_progress_mgr progress{};
    std::jmp_buf jump{};
    char complaint[JMSG_LENGTH_MAX] = "";
    std::vector<uint8_t> bytes;

    ~JpegReader() { jpeg_destroy_decompress(&jpeg); }

    [[noreturn]] static void fail(j_common_ptr jpeg) {
        auto* reader = static_cast<JpegReader*>(jpeg->client_data);
        jpeg->err->format_message(jpeg, reader->complaint);
        std::longjmp(reader->jump, 1);
    }
    // libjpeg reports damage as a warning and fills the rest with grey. Other warnings, such as bytes between segments, are
    // common.
    static void warn(j_common_ptr jpeg, int level) {
        const int code = jpeg->err->msg_code;
        if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
                          code == JWRN_ARITH_BAD_CODE || code == JWRN_MUST_RESYNC))
            fail(jpeg);
    }
    static void say_nothing(j_common_ptr) {}
    static void watch(j_common_ptr jpeg) {
        auto* reader = static_cast<JpegReader*>(jpeg->client_data);
        if (reader->jpeg.input_scan_number <= most_scans) return;
        std::snprintf(reader->complaint, sizeof reader->complaint, "more than %d scans", most_scans);
        std::longjmp(reader->jump, 1);
    }

    template <class Steps>
    void guarded(Steps&& steps) {
        const int failed = setjmp(jump);
        // This is not an error of the file. The second code: more memory than the variable JPEGMEM allows.
        if (failed && (errors.msg_code == JERR_OUT_OF_MEMORY || errors.msg_code == JERR_NO_BACKING_STORE)) throw std::bad_alloc();
        if (failed) throw BrokenImage(std::string("damaged JPEG: ") + complaint);
        steps();
    }
};

int orientation_of(const jpeg_decompress_struct& jpeg) {
    Orientation orientation;
    for (jpeg_saved_marker_ptr m = jpeg.marker_list; m; m = m->next)
        orientation.jpeg_app1({reinterpret_cast<const char*>(m->data), m->data_length});
    return orientation.value();
}

int64_t rounded_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// What libjpeg keeps: rows of blocks of each component; of a file in several scans two bytes for each coefficient; the metadata.
int64_t bytes_of_library(jpeg_decompress_struct& jpeg) {
    constexpr int64_t rows = 28, coefficients = 2 * DCTSIZE2;
    int64_t bytes = rows * int64_t(jpeg.image_width) * jpeg.num_components;
    for (int i = 0; i < jpeg.num_components && jpeg_has_multiple_scans(&jpeg); ++i) {
        const jpeg_component_info& c = jpeg.comp_info[i];
        bytes += coefficients * rounded_up(c.width_in_blocks, c.h_samp_factor) * rounded_up(c.height_in_blocks, c.v_samp_factor);
    }
    for (jpeg_saved_marker_ptr m = jpeg.marker_list; m; m = m->next) bytes += 2 * int64_t(m->data_length);
    return bytes;
}

// Stored inverted, as Photoshop does; PIL treats all of them so.
std::vector<uint8_t> rgb_of_inverted_cmyk(const std::vector<uint8_t>& cmyk) {
    std::vector<uint8_t> rgb;
    rgb.reserve(cmyk.size() / 4 * 3);
    for (std::size_t i = 0; i < cmyk.size(); i += 4)
        for (std::size_t c = 0; c < 3; ++c) {
            const int k = cmyk[i + 3], product = (255 - cmyk[i + c]) * k + 128;
            rgb.push_back(uint8_t(std::max(0, k - ((product + (product >> 8)) >> 8))));
        }
    return rgb;
}

}  // namespace

Image decode_jpeg(const std::vector<uint8_t>& file, const DecodeOptions& options) {
    JpegReader r;
    r.jpeg.err = jpeg_std_error(&r.errors);
    r.errors.error_exit = JpegReader::fail;
    r.errors.emit_message = JpegReader::warn;
    r.errors.output_message = JpegReader::say_nothing;
    r.progress.progress_monitor = JpegReader::watch;
    r.jpeg.client_data = &r;
    r.guarded([&] {
        jpeg_create_decompress(&r.jpeg);
        r.jpeg.progress = &r.progress;
        jpeg_mem_src(&r.jpeg, file.data(), static_cast<unsigned long>(file.size()));
        jpeg_save_markers(&r.jpeg, JPEG_APP0 + 1, 0xffff);
        jpeg_read_header(&r.jpeg, TRUE);
    });
    const int64_t H = r.jpeg.image_height, W = r.jpeg.image_width;
    const J_COLOR_SPACE stored = r.jpeg.jpeg_color_space;
    check_extents(H, W, options);
    if (r.jpeg.num_components == 2) throw BrokenImage("a JPEG of two components");
    r.jpeg.out_color_space = r.jpeg.num_components == 1                 ? JCS_GRAYSCALE
                             : stored == JCS_CMYK || stored == JCS_YCCK ? JCS_CMYK
                                                                        : JCS_RGB;
    const int64_t C = r.jpeg.out_color_space == JCS_GRAYSCALE ? 1 : r.jpeg.out_color_space == JCS_CMYK ? 4 : 3;
    const int turned = orientation_of(r.jpeg);  // released by the last call below
    if (options.reserve) {
        const int64_t pixels = H * W, with_library = pixels * C + bytes_of_library(r.jpeg);
        const int64_t copied = C == 4 ? pixels * (4 + 3) : turned > 1 ? 2 * pixels * C : 0;
        constexpr int64_t fixed = 1 << 20;  // what does not depend on extents
        options.reserve(H, W, C == 4 ? 3 : C, std::max(with_library, copied) + fixed);
    }
    r.guarded([&] { jpeg_start_decompress(&r.jpeg); });
    if (r.jpeg.output_components != C) throw BrokenImage("a JPEG of an unknown kind");
    r.bytes.resize(std::size_t(H * W * C));
    r.guarded([&] {
        while (r.jpeg.output_scanline < r.jpeg.output_height) {
            JSAMPROW row = r.bytes.data() + int64_t(r.jpeg.output_scanline) * W * C;
            jpeg_read_scanlines(&r.jpeg, &row, 1);
        }
        jpeg_finish_decompress(&r.jpeg);
    });
    if (C == 4) r.bytes = rgb_of_inverted_cmyk(r.bytes);
    return upright({H, W, C == 4 ? 3 : C, std::move(r.bytes)}, turned);
}

}  // namespace gannet
