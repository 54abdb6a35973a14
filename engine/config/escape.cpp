#include "engine/config/escape.h"

#include <charconv>
#include <cstdint>

#include "kernels/error.h"

namespace gannet::config {
namespace {

const std::string stand_in = "\xF4\x8F\xBF\xBE";  // U+10FFFE

// The code unit of \uXXXX at `at`; -1 if there is none.
int unit_at(const std::string& text, std::size_t at) {
    int unit = -1;
    if (at + 6 > text.size() || text.compare(at, 2, "\\u") != 0) return -1;
    const auto [end, error] = std::from_chars(&text[at + 2], &text[at + 6], unit, 16);
    return error == std::errc() && end == &text[at + 6] && unit >= 0 ? unit : -1;
}

}  // namespace

std::string with_stand_ins(std::string text, const std::string& file) {
    bool taken = text.find(stand_in) != std::string::npos;
    for (std::size_t at = 0; (at = text.find('\\', at)) != std::string::npos;) {
        const int unit = unit_at(text, at), next = unit >= 0xD800 && unit <= 0xDBFF ? unit_at(text, at + 6) : -1;
        if (next >= 0xDC00 && next <= 0xDFFF) {
            taken = taken || (unit == 0xDBFF && next == 0xDFFE);
            at += 12;
        } else {
            if (unit >= 0xDC80 && unit <= 0xDCFF) text.replace(at, 4, stand_in);
            at += unit >= 0 ? 6 : 2;
        }
    }
    if (taken) throw Error("U+10FFFE in the text, which is not a character", file, "remove it");
    return text;
}

std::string with_bytes(std::string text) {
    std::size_t from = 0, at = text.find(stand_in);
    if (at == std::string::npos) return text;
    std::string out;
    for (; at != std::string::npos; at = text.find(stand_in, from)) {
        out.append(text, from, at - from);
        out += char(std::stoi(text.substr(at + 4, 2), nullptr, 16));
        from = at + 6;
    }
    return out.append(text, from);
}

std::size_t character_at(const std::string& text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return at + i < text.size() ? uint8_t(text[at + i]) : uint8_t(0); };
    const uint8_t first = byte(0), second = byte(1);
    if (first < 0x80) return 1;
    const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    // longer than need be, a surrogate, beyond U+10FFFF, what cannot be read back
    const bool none = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
                      (first == 0xF4 && second > 0x8F) || text.compare(at, length, stand_in) == 0;
    return none ? 0 : length;
}

}  // namespace gannet::config
