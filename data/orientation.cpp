#include "data/orientation.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

#include "data/stream.h"

namespace gannet {
namespace {

constexpr std::string_view exif_head("Exif\0\0", 6), xmp_head("http://ns.adobe.com/xap/1.0/\0", 29);
constexpr std::size_t most_text = std::size_t(1) << 20;  // decompressed: as much as PIL takes

uint64_t number(std::string_view at, std::size_t bytes, bool little) {
    uint64_t n = 0;
    for (std::size_t i = 0; i < bytes; ++i) n = n << 8 | uint8_t(at[little ? bytes - 1 - i : i]);
    return n;
}

// Bytes of a value of each TIFF type; 0 of one that is not known.
std::size_t size_of(uint64_t type) {
    constexpr std::array<uint8_t, 17> sizes{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8};
    return type < sizes.size() ? sizes[type] : 0;
}

// Of numbers of any type, as PIL compares them; 0 of text and bytes without a meaning.
double value_of(uint64_t type, std::string_view at, bool little) {
    constexpr uint64_t ascii = 2, rational = 5, undefined = 7, signed_rational = 10, of_float = 11, of_double = 12;
    const uint64_t n = number(at, size_of(type), little);
    switch (type) {
        case ascii:
        case undefined: return 0;
        case rational:
        case signed_rational: return double(number(at, 4, little)) / double(number(at.substr(4), 4, little));
        case of_float: return double(std::bit_cast<float>(uint32_t(n)));
        case of_double: return std::bit_cast<double>(n);
    }
    return double(n);
}

// The orientation in the first directory of a block of EXIF (TIFF); none where there is no such entry, 1 where it is not valid.
std::optional<int> exif_orientation(std::string_view tiff) {
    while (tiff.starts_with(exif_head)) tiff.remove_prefix(exif_head.size());
    constexpr std::size_t entry = 12, orientation = 0x0112, room = 4;
    if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return std::nullopt;
    const bool little = tiff[0] == 'I';
    const uint64_t version = number(tiff.substr(2), 2, little), directory = number(tiff.substr(4), 4, little);
    if ((version != 42 && version != 42 << 8) || directory > tiff.size() - 2) return std::nullopt;
    const std::size_t entries =
        std::min<std::size_t>(number(tiff.substr(directory), 2, little), (tiff.size() - directory - 2) / entry);
    for (std::size_t i = 0; i < entries; ++i) {
        const std::string_view at = tiff.substr(directory + 2 + i * entry, entry);
        if (number(at, 2, little) != orientation) continue;
        const uint64_t type = number(at.substr(2), 2, little), count = number(at.substr(4), 4, little);
        const std::size_t size = size_of(type);
        if (size == 0 || count == 0) continue;
        std::string_view value = at.substr(8);
        if (count > room / size) {  // it is elsewhere
            const std::size_t offset = number(value, 4, little);
            if (offset > tiff.size() || count > (tiff.size() - offset) / size) continue;
            value = tiff.substr(offset);
        }
        const double n = value_of(type, value, little);
        return n >= 1 && n <= 8 && n == std::floor(n) ? int(n) : 1;
    }
    return std::nullopt;
}

// tiff:Orientation, as an attribute or as an element.
std::optional<int> xmp_orientation(std::string_view xmp) {
    constexpr std::string_view name = "tiff:Orientation";
    for (std::size_t at = xmp.find(name); at != std::string_view::npos; at = xmp.find(name, at + 1)) {
        std::string_view rest = xmp.substr(at + name.size());
        if (rest.starts_with("=\"")) rest.remove_prefix(2);
        else if (rest.starts_with(">")) rest.remove_prefix(1);
        else continue;
        if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] >= '1' && rest[0] <= '8' ? rest[0] - '0' : 1;
    }
    return std::nullopt;
}

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// ImageMagick's: a line feed, a line with its name, one with its length, then lines of hexadecimal digits.
std::string raw_profile(std::string_view text) {
    for (int line = 0; line < 3; ++line) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return "";
        text.remove_prefix(end + 1);
    }
    std::string bytes;
    int high = -1;
    for (const char c : text) {
        if (c == '\n' || c == '\r' || c == ' ') continue;
        const int d = digit(c);
        if (d < 0) return "";
        if (high < 0) high = d;
        else bytes.push_back(char(high * 16 + d)), high = -1;
    }
    return bytes;
}

// What is before the next zero byte, which is taken off too. Empty, and nothing left, where there is none.
std::string_view before_zero(std::string_view& data) {
    const std::size_t end = data.find('\0');
    const std::string_view part = data.substr(0, end == std::string_view::npos ? 0 : end);
    data.remove_prefix(end == std::string_view::npos ? data.size() : end + 1);
    return part;
}

}  // namespace

void Orientation::png_chunk(std::string_view type, std::string_view data) {
    if (type == "eXIf") exif_ = data;
    if (type != "tEXt" && type != "zTXt" && type != "iTXt") return;
    const std::string_view key = before_zero(data);
    if (key != "Raw profile type exif" && key != "Raw profile type APP1" && key != "XML:com.adobe.xmp") return;
    bool compressed = type == "zTXt";
    if (compressed) {
        if (data.empty() || data[0] != 0) return;  // a method that is not known
        data.remove_prefix(1);
    } else if (type == "iTXt") {
        if (data.size() < 2) return;
        compressed = data[0] != 0;
        if (compressed && data[1] != 0) return;
        data.remove_prefix(2);
        before_zero(data);  // the language
        before_zero(data);  // the key in it
    }
    text(key, compressed ? inflated(data, most_text, MAX_WBITS) : std::string(data));
}

void Orientation::text(std::string_view key, std::string value) {
    if (value.empty()) return;
    if (key == "XML:com.adobe.xmp") xmp_ = std::move(value);
    else (key == "Raw profile type exif" ? raw_exif_ : raw_app1_) = raw_profile(value);
}

void Orientation::jpeg_app1(std::string_view data) {
    if (data.starts_with(exif_head)) exif_ += data.substr(exif_.empty() ? 0 : exif_head.size());  // long ones come in parts
    else if (data.starts_with(xmp_head)) xmp_ = data.substr(xmp_head.size());
}

int Orientation::value() const {
    const std::string& exif = !exif_.empty() ? exif_ : !raw_exif_.empty() ? raw_exif_ : raw_app1_;
    std::optional<int> found = exif_orientation(exif);
    if (!found) found = xmp_orientation(xmp_);
    return found.value_or(1);
}

}  // namespace gannet
