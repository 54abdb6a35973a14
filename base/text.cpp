#include "base/text.h"

#include <algorithm>
#include <cstdio>

namespace gannet {

std::size_t character_at(const std::string& text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return at + i < text.size() ? uint8_t(text[at + i]) : uint8_t(0); };
    const uint8_t first = byte(0), second = byte(1);
    if (first < 0x80) return 1;
    const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    // longer than need be, a surrogate, beyond U+10FFFF
    const bool none = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
                      (first == 0xF4 && second > 0x8F);
    return none ? 0 : length;
}

std::string printable(const std::string& text, std::size_t longest) {
    std::string out;
    std::size_t at = 0;
    while (at < text.size() && at < longest) {
        const std::size_t length = character_at(text, at), bytes = std::max<std::size_t>(length, 1);
        const uint8_t first = uint8_t(text[at]);
        const bool control = first < 0x20 || first == 0x7f || (first == 0xC2 && length == 2 && uint8_t(text[at + 1]) < 0xA0);
        if (first == '\n') {
            out += "\\n";
        } else if (control || length == 0) {
            for (std::size_t i = 0; i < bytes; ++i) {
                char escape[8];
                std::snprintf(escape, sizeof escape, "\\x%02x", unsigned(uint8_t(text[at + i])));
                out += escape;
            }
        } else {
            out.append(text, at, bytes);
        }
        at += bytes;
    }
    return at < text.size() ? out + "..." : out;
}

}  // namespace gannet
