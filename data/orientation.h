// Which way up an image file says that it is: what PIL's ImageOps.exif_transpose goes by, and no more is read than that.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gannet {

// A decoder hands over its blocks of metadata. They may hold anything.
class Orientation {
public:
    void png_chunk(std::string_view type, std::string_view data);  // eXIf, tEXt, zTXt, iTXt; others are ignored
    void jpeg_app1(std::string_view data);

    // 1 to 8 as EXIF numbers them; 1 where nothing valid is said. EXIF counts before ImageMagick's raw profiles, and XMP only
    // where there is no orientation in either.
    int value() const;

private:
    void text(std::string_view key, std::string value);

    std::string exif_, raw_exif_, raw_app1_, xmp_;
};

}  // namespace gannet
