// Decoding: all kinds of PNG and JPEG files compared with PIL, damaged files, huge sizes. tests/images/make.py made the files.
#include <doctest/doctest.h>

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "data/decode.h"
#include "data/orientation.h"
#include "tests/image_files.h"
#include "tests/memory_limit.h"
#include "tests/skip.h"
#include "tests/temporary.h"

using namespace gannet;
using Bytes = std::vector<uint8_t>;

namespace {

Bytes fixture(const std::string& name) { return bytes_of(fixture_file(name)); }

Image decode(const Bytes& file, const DecodeOptions& options = {}) { return decode_image(file, options); }

// Why the bytes cannot be decoded; "" if they can.
std::string broken(const Bytes& file, const DecodeOptions& options = {}) {
    try {
        decode(file, options);
    } catch (const BrokenImage& error) {
        return error.what();
    }
    return "";
}

Bytes cut(const Bytes& file, std::size_t length) { return {file.begin(), file.begin() + int64_t(length)}; }
Bytes of_text(const std::string& text) { return {text.begin(), text.end()}; }

int largest_difference(const Bytes& a, const Bytes& b) {
    int largest = a.size() == b.size() ? 0 : 256;
    for (std::size_t i = 0; largest < 256 && i < a.size(); ++i) largest = std::max(largest, std::abs(int(a[i]) - int(b[i])));
    return largest;
}

// Compares the files of a folder with PIL's results in its expected.txt (make.py documents the format). Returns their number.
int compared_with_pil(const std::string& folder) {
    std::istringstream lines(read_text(folder + "/expected.txt"));
    int count = 0;
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream in(line);
        std::string name, background, hex;
        int64_t size = 0, crop = 0, channels = 0, W = 0, H = 0;
        in >> name >> size >> crop >> channels >> background >> W >> H >> hex;
        CAPTURE(line.substr(0, 60));
        Bytes expected;
        for (std::size_t i = 0; i < hex.size(); i += 2) expected.push_back(uint8_t(std::stoi(hex.substr(i, 2), nullptr, 16)));
        Image picture =
            with_channels(decode(bytes_of(folder + "/" + name), {.background = read_colour(background, "")}), channels);
        if (crop > 0) picture = cropped(picture, crop);
        if (size > 0) picture = fitted(picture, size);
        CHECK(picture.W == W);
        CHECK(picture.H == H);
        CHECK(picture.C == channels);
        CHECK(largest_difference(picture.bytes, expected) <= 1);
        ++count;
    }
    return count;
}

int orientation_of_exif(const Bytes& block) {
    Orientation orientation;
    orientation.png_chunk("eXIf", {reinterpret_cast<const char*>(block.data()), block.size()});
    return orientation.value();
}

}  // namespace

TEST_CASE("images: every kind of file equals PIL's result within one level") { CHECK(compared_with_pil("tests/images") > 50); }

TEST_CASE("images: a corpus that PIL generates now equals PIL's result within one level") {
    const std::string python = "/usr/bin/python3";
    if (std::system((python + " -c 'import PIL' 2>/dev/null").c_str()) != 0)
        return skipped("no PIL in /usr/bin/python3 (Debian's package python3-pil)");
    TemporaryFolder folder;
    REQUIRE(std::system((python + " tests/images/corpus.py " + folder.path).c_str()) == 0);
    CHECK(compared_with_pil(folder.path) > 200);
}

TEST_CASE("images: the eight EXIF orientations of one picture") {
    const Image first = decode(fixture("exif1.jpg"));
    CHECK(first.W == 16);
    CHECK(first.H == 8);
    for (int orientation = 2; orientation <= 8; ++orientation) {
        const Image other = decode(fixture("exif" + std::to_string(orientation) + ".jpg"));
        CAPTURE(orientation);
        REQUIRE(other.bytes.size() == first.bytes.size());
        CHECK(other.W == first.W);
        // They differ by JPEG's loss in another direction; a wrong orientation would differ by up to 255.
        CHECK(largest_difference(other.bytes, first.bytes) <= 16);
    }
}

TEST_CASE("images: orientations are exact") {
    const Image p{2, 3, 1, {0, 1, 2, 3, 4, 5}};
    const Bytes expected[9] = {p.bytes,
                               p.bytes,
                               {2, 1, 0, 5, 4, 3},
                               {5, 4, 3, 2, 1, 0},
                               {3, 4, 5, 0, 1, 2},
                               {0, 3, 1, 4, 2, 5},
                               {3, 0, 4, 1, 5, 2},
                               {5, 2, 4, 1, 3, 0},
                               {2, 5, 1, 4, 0, 3}};
    for (int orientation = 0; orientation < 9; ++orientation) {
        const Image turned = upright(p, orientation);
        CHECK(turned.bytes == expected[orientation]);
        CHECK(turned.H == (orientation >= 5 ? 3 : 2));
    }
    CHECK(upright(p, 9).bytes == p.bytes);
}

TEST_CASE("images: damaged EXIF blocks do not rotate an image") {
    const Bytes good = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0};
    CHECK(orientation_of_exif(good) == 6);
    for (std::size_t length = 0; length < good.size(); ++length) CHECK(orientation_of_exif(cut(good, length)) == 1);
    for (std::size_t i = 0; i < good.size(); ++i)
        for (const uint8_t value : {0, 9, 255}) {
            Bytes other = good;
            other[i] = value;
            const int orientation = orientation_of_exif(other);
            CHECK((orientation == 1 || orientation == 6 || orientation == 9 - 1));
        }
}

TEST_CASE("images: forms of EXIF and their precedence") {
    const auto tiff = [](const std::string& entries, int count = 1) {
        return std::string("II*\0\x08\0\0\0", 8) + char(count) + '\0' + entries;
    };
    const std::string six("\x12\1\3\0\1\0\0\0\6\0\0\0", 12), of_long("\x12\1\4\0\1\0\0\0\6\0\0\0", 12),
        of_byte("\x12\1\1\0\1\0\0\0\6\0\0\0", 12), elsewhere("\x12\1\3\0\3\0\0\0\x16\0\0\0", 12),
        three("\x12\1\3\0\1\0\0\0\3\0\0\0", 12), nine("\x12\1\3\0\1\0\0\0\x09\0\0\0", 12), head("Exif\0\0", 6),
        xmp("http://ns.adobe.com/xap/1.0/\0<tiff:Orientation>8<", 49);
    const auto jpeg = [](const std::vector<std::string>& segments) {
        Orientation o;
        for (const std::string& segment : segments) o.jpeg_app1(segment);
        return o.value();
    };
    for (const std::string& entry : {six, of_long, of_byte}) CHECK(jpeg({head + tiff(entry)}) == 6);
    CHECK(jpeg({head + tiff(elsewhere) + std::string("\6\0\6\0\6\0", 6)}) == 6);
    CHECK(jpeg({head + tiff(elsewhere) + std::string("\6\0\6\0\6", 5)}) == 1);  // beyond the end
    CHECK(jpeg({head + tiff(six + three, 2)}) == 6);
    CHECK(jpeg({head + tiff(three + six, 200)}) == 3);
    CHECK(jpeg({xmp}) == 8);
    CHECK(jpeg({xmp, head + tiff(six)}) == 6);
    CHECK(jpeg({head + tiff(nine), xmp}) == 1);  // the EXIF orientation exists but is invalid
    CHECK(jpeg({head + tiff("", 0), xmp}) == 8);
    CHECK(jpeg({"Exif", "", "http://ns.adobe.com/xap/1.0/"}) == 1);
    const std::string with_head = head + head + tiff(six);
    CHECK(orientation_of_exif({with_head.begin(), with_head.end()}) == 6);
}

TEST_CASE("images: damaged raw profiles and XMP do not rotate an image") {
    const auto orientation = [](const std::string& type, const std::string& data) {
        Orientation o;
        o.png_chunk(type, data);
        return o.value();
    };
    const std::string key("Raw profile type exif\0", 22), hex = "4d4D002a00000008\n000101120003000000010006 0000\n";
    const std::string good = key + "\nexif\n 22\n" + hex;
    CHECK(orientation("tEXt", good) == 6);
    for (std::size_t length = 0; length + 6 < good.size(); ++length) CHECK(orientation("tEXt", good.substr(0, length)) == 1);
    CHECK(orientation("tEXt", key + "\nexif\n 22\nx" + hex) == 1);
    CHECK(orientation("tEXt", key + hex) == 1);
    CHECK(orientation("tIME", good) == 1);
    for (const char* type : {"zTXt", "iTXt"}) CHECK(orientation(type, good) == 1);  // not in the format of these chunks

    const std::string xmp("XML:com.adobe.xmp\0\0\0\0\0", 22);
    for (const char* text : {"<a tiff:Orientation=\"6\"/>", "<tiff:Orientation>6<", "tiff:Orientation tiff:Orientation>6"})
        CHECK(orientation("iTXt", xmp + text) == 6);
    for (const char* text : {"", "tiff:Orientation", "tiff:Orientation=\"", "tiff:Orientation>", "tiff:Orientation=\"0\"",
                             "tiff:Orientation>9", "Orientation>6"})
        CHECK(orientation("iTXt", xmp + text) == 1);

    // 64 MiB of text in a chunk of less than 2 MiB are not unpacked.
    std::string packed(std::size_t(2) << 20, '\0');
    const std::string much = std::string(std::size_t(64) << 20, ' ') + "tiff:Orientation>6";
    uLongf size = packed.size();
    REQUIRE(compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(much.data()), much.size()) ==
            Z_OK);
    CHECK(orientation("zTXt", std::string("XML:com.adobe.xmp\0\0", 19) + packed.substr(0, size)) == 1);
}

TEST_CASE("images: a PNG of one column or one row, and of every small size, interlaced or not") {
    for (int64_t H = 1; H <= 9; ++H)
        for (int64_t W = 1; W <= 9; ++W) {
            for (const bool interlaced : {false, true}) {
                const Image picture = decode(png_of(H, W, interlaced));
                CAPTURE(H);
                CAPTURE(W);
                CHECK(picture.H == H);
                CHECK(picture.W == W);
                for (int64_t i = 0; i < H * W; ++i) CHECK(picture.bytes[std::size_t(i)] == uint8_t(i / W * 25 + i % W * 7));
            }
        }
}

TEST_CASE("images: a PNG of millions of lines takes only the memory of its pixels") {
    if (!memory_can_be_limited) return skipped("under a sanitizer");
    constexpr int64_t lines = 4000000;
    for (const bool interlaced : {false, true}) {
        const Bytes file = png_of(lines, 1, interlaced);
        CHECK(succeeds_within(3 * lines, [&] { return decode(file).bytes.back() == uint8_t((lines - 1) * 25); }));
    }
}

TEST_CASE("images: colours, transparency, grey") {
    const Bytes pixels = {200, 100, 0, 255, 200, 100, 0, 0, 200, 100, 0, 51};
    const auto over = [&](const Colour& behind) {
        Bytes rgb(9);
        for (std::size_t i = 0; i < 3; ++i) composite(&rgb[3 * i], &pixels[4 * i], behind);
        return rgb;
    };
    CHECK(over({255, 255, 255}) == Bytes{200, 100, 0, 255, 255, 255, 244, 224, 204});
    CHECK(over({0, 0, 0}) == Bytes{200, 100, 0, 0, 0, 0, 40, 20, 0});
    const Image colours{1, 4, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255}};
    CHECK(with_channels(colours, 1).bytes == Bytes{76, 150, 29, 255});  // as in PIL
    CHECK(with_channels({1, 2, 1, {7, 9}}, 3).bytes == Bytes{7, 7, 7, 9, 9, 9});
    CHECK(read_colour("#10aBff", "").b == 255);
    CHECK(read_colour("black", "").r == 0);
    for (const char* wrong : {"", "wihte", "#12345", "#1234567", "#12345g", "255"})
        CHECK(has(error_of([&] { read_colour(wrong, "data.background"); }),
                  "' is not a valid colour (data.background): write white, black or #rrggbb"));
}

TEST_CASE("images: a file truncated anywhere is broken") {
    for (const char* name :
         {"rgba-interlaced.png", "palette4-alpha.png", "rgb16.png", "colour-420.jpeg", "progressive.JPG", "cmyk.jpg"}) {
        const Bytes whole = fixture(name);
        CAPTURE(name);
        CHECK(broken(whole).empty());
        for (std::size_t length = 0; length + 2 < whole.size(); length += 1 + length / 40) {
            CAPTURE(length);
            CHECK_FALSE(broken(cut(whole, length)).empty());
        }
    }
}

TEST_CASE("images: flipped bits are detected or harmless") {
    for (const char* name : {"rgba-interlaced.png", "palette4-alpha.png", "colour-420.jpeg", "progressive.JPG", "exif6.jpg"}) {
        const Bytes whole = fixture(name);
        int noticed = 0;
        for (std::size_t i = 0; i < whole.size(); ++i) {
            Bytes flipped = whole;
            flipped[i] ^= uint8_t(1 << i % 8);
            noticed += !broken(flipped, {.max_pixels = 100000}).empty();
        }
        // PNG has checksums for all data, JPEG has none.
        if (std::string(name).ends_with("png")) CHECK(noticed == int(whole.size()));
        else CHECK(noticed > 0);
    }
}

TEST_CASE("images: files that are not images, and huge sizes") {
    CHECK(broken({}) == "the file is empty");
    CHECK(has(broken(of_text("some text")), "not a PNG or JPEG"));
    CHECK(has(broken(of_text("\x89PNG\r\n\x1a\n and no more")), "damaged PNG"));
    CHECK(has(broken(Bytes{0xff, 0xd8, 0xff, 0xd9}), "damaged JPEG"));

    // 2^31 - 1 pixels on each side, and no data after the header.
    Bytes bomb = fixture("rgb.png");
    for (const std::size_t at : {16, 20}) std::copy_n(Bytes{0x7f, 0xff, 0xff, 0xff}.begin(), 4, bomb.begin() + int64_t(at));
    set_png_checksum(bomb, 8);
    CHECK(broken(bomb) == "2147483647 x 2147483647 pixels, more than data.max_pixels (100000000) allows");
    Bytes jpeg = fixture("colour.jpg");
    const Bytes frame = {0xff, 0xc0, 0, 17, 8};
    const auto at = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
    REQUIRE(at != jpeg.end());
    std::fill_n(at + 5, 4, uint8_t(0xfa));
    CHECK(has(broken(jpeg), "64250 x 64250 pixels, more than data.max_pixels"));
    CHECK(has(broken(fixture("rgb.png"), {.max_pixels = 21 * 13 - 1}), "21 x 13 pixels"));
    CHECK(broken(fixture("rgb.png"), {.max_pixels = 21 * 13}).empty());
}

TEST_CASE("images: a JPEG with too many scans is refused") {
    Bytes file = fixture("progressive.JPG");
    const Bytes start = {0xff, 0xda}, end = {0xff, 0xd9};
    const auto first = std::search(file.begin(), file.end(), start.begin(), start.end());
    REQUIRE(first != file.end());
    auto after = first + 2;  // the next marker; 0xff 0x00 is data of the scan
    while (after[0] != 0xff || after[1] == 0) ++after;
    const Bytes scan(first, after);
    file.erase(after, file.end());
    for (int i = 0; i < 600; ++i) file.insert(file.end(), scan.begin(), scan.end());
    file.insert(file.end(), end.begin(), end.end());
    CHECK_MESSAGE(has(broken(file), "more than 500 scans"), broken(file));
}
