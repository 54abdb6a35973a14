// Words for messages.
#pragma once
#include <cstdint>
#include <string>

namespace gannet {

// Names of files come from anywhere: what would break a line or a terminal becomes '?', what is very long is cut.
inline std::string printable(const std::string& text, std::size_t longest = 200) {
    std::string out;
    for (const char c : text.substr(0, longest)) out += uint8_t(c) < 32 || c == 127 ? '?' : c;
    return text.size() > longest ? out + "..." : out;
}

// 1234567: "1,234,567"
inline std::string grouped(int64_t n) {
    std::string digits = std::to_string(n);
    for (int64_t at = int64_t(digits.size()) - 3; at > (n < 0 ? 1 : 0); at -= 3) digits.insert(std::size_t(at), ",");
    return digits;
}

inline std::string counted(int64_t n, const std::string& one, const std::string& many) {
    return grouped(n) + " " + (n == 1 ? one : many);
}

}  // namespace gannet
