#include "base/json_escape.h"

#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace gannet::json {
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
    // only if it can be read back
    return text.compare(at, stand_in.size(), stand_in) == 0 ? 0 : gannet::character_at(text, at);
}

}  // namespace gannet::json
