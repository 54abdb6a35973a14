#include "data/idx.h"

#include "base/error.h"
#include "base/text.h"
#include "data/stream.h"

namespace gannet {
namespace {

constexpr int64_t largest_side = 16384;
const char* const not_idx = "give an IDX file of unsigned bytes (MNIST's format), plain or gzip";
const char* const fetch_again = "copy or download the file again";
const char* const truncated = "the file is truncated: copy or download it again";

std::string text_of(const std::vector<int64_t>& shape) {
    std::string text;
    for (int64_t extent : shape) text += (text.empty() ? "" : " x ") + std::to_string(extent);
    return text;
}

std::string hex(const uint8_t* bytes) {
    const char* digits = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < 4; ++i) text += {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    return text;
}

std::string type_name(uint8_t code) {
    switch (code) {
        case 0x08: return "unsigned bytes";
        case 0x09: return "signed bytes";
        case 0x0b: return "16-bit integers";
        case 0x0c: return "32-bit integers";
        case 0x0d: return "32-bit floats";
        case 0x0e: return "64-bit floats";
    }
    return "";
}

std::vector<int64_t> read_header(ByteStream& in, const std::string& file, int axes) {
    const std::string expected = axes == 1 ? "00000801, labels" : "0000080" + std::to_string(axes) + ", images";
    uint8_t magic[4];
    const std::size_t got = in.read(magic, 4);
    if (got == 0) throw Error("the file is empty", file, fetch_again);
    if (got < 4) throw Error("the file ends inside its header", file, fetch_again);
    const std::string found = "the file starts with " + hex(magic);
    if (magic[0] || magic[1] || type_name(magic[2]).empty() || magic[3] == 0)
        throw Error(found + ", expected " + expected, file, not_idx);
    if (magic[2] != 0x08) throw Error(found + ": " + type_name(magic[2]) + ", expected " + expected, file, not_idx);
    if (magic[3] != axes)
        throw Error(found + ": " + std::to_string(magic[3]) + (magic[3] == 1 ? " axis" : " axes") + ", expected " + expected,
                    file, "were the files of images and labels exchanged?");
    std::vector<int64_t> shape;
    for (int i = 0; i < axes; ++i) {
        uint8_t b[4];
        if (in.read(b, 4) < 4) throw Error("the file ends inside its header", file, fetch_again);
        shape.push_back(int64_t(b[0]) << 24 | int64_t(b[1]) << 16 | int64_t(b[2]) << 8 | int64_t(b[3]));
    }
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (shape[i] == 0 || (i > 0 && shape[i] > largest_side))
            throw Error("the header says " + text_of(shape) + ", expected 1 or more images with sides of 1 to " +
                            std::to_string(largest_side),
                        file, fetch_again);
    return shape;
}

}  // namespace

std::vector<int64_t> read_idx_shape(const std::string& file, int axes) {
    ByteStream in(file);
    return read_header(in, file, axes);
}

Idx read_idx(const std::string& file, int axes, const FreeMemory& free) {
    ByteStream in(file);
    Idx idx{read_header(in, file, axes), {}};
    int64_t values = 1;  // below 2^32 * 2^14 * 2^14: cannot overflow
    for (int64_t extent : idx.shape) values *= extent;
    const int64_t header = 4 + 4 * axes;
    const std::string says = "the header says " + text_of(idx.shape) + " = " + counted(values, "value");
    // Before anything is allocated: a damaged header must not ask for terabytes.
    const int64_t most = in.longest() - header;
    if (values > most)
        throw Error(says + ", the file has " + (in.compressed() ? "at most " : "") + grouped(most), file, truncated);
    check_free(values, file, free);
    idx.values.resize(std::size_t(values));
    const std::size_t got = in.read(idx.values.data(), idx.values.size());
    if (got < idx.values.size()) throw Error(says + ", the file has " + grouped(int64_t(got)), file, truncated);
    uint8_t more;
    if (in.read(&more, 1) != 0) throw Error(says + ", but the file has more bytes", file, fetch_again);
    return idx;
}

}  // namespace gannet
