// The orientation stated in an image file. Reads the same metadata as PIL's ImageOps.exif_transpose, and no more.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gannet {

// A decoder passes its metadata blocks. They may contain anything.
class Orientation {
public:
    void png_chunk(std::string_view type, std::string_view data);  // eXIf, tEXt, zTXt, iTXt; others are ignored
    void jpeg_app1(std::string_view data);

    // 1 to 8 as in EXIF; 1 if there is no valid orientation. EXIF takes precedence over ImageMagick's raw profiles, and XMP
    // counts only if neither has an orientation.
    int value() const;

private:
    void text(std::string_view key, std::string value);

    std::string exif_, raw_exif_, raw_app1_, xmp_;
};

}  // namespace gannet
