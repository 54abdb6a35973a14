// Words for messages.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace gannet {

// The bytes of the UTF-8 character that begins at `at`; 0 where none does.
std::size_t character_at(const std::string& text, std::size_t at);

// For names from untrusted sources. Control characters, including C1, and bytes that are not UTF-8 are written as \n or \x9b.
// Texts longer than `longest` bytes are cut.
std::string printable(const std::string& text, std::size_t longest = 200);

// The word of `words` that is closest to `word`; "" if none is close. Case, '-' and '_' do not count.
std::string nearest(const std::string& word, const std::vector<std::string>& words);

// 1234567: "1,234,567"
inline std::string grouped(int64_t n) {
    std::string digits = std::to_string(n);
    for (int64_t at = int64_t(digits.size()) - 3; at > (n < 0 ? 1 : 0); at -= 3) digits.insert(std::size_t(at), ",");
    return digits;
}

// counted(1, "image"): "1 image"; counted(1000, "image"): "1,000 images"
inline std::string counted(int64_t n, const std::string& one, const std::string& many = "") {
    return grouped(n) + " " + (n == 1 ? one : many.empty() ? one + "s" : many);
}

}  // namespace gannet
