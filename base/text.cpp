#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace gannet {
namespace {

// "BatchNorm2d" and "batch_norm2d" are one word.
std::string plain(const std::string& word) {
    std::string out;
    for (const char c : word)
        if (c != '_' && c != '-' && c != ' ') out += char(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

// Insertions, deletions, replacements and swaps of neighbours.
std::size_t distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> before, last(b.size() + 1), now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
    }
    return last[b.size()];
}

constexpr std::size_t longest_word = 100;  // longer words have no suggestion

bool begins(const std::string& word, const std::string& with) {
    return with.size() >= 3 && word.compare(0, with.size(), with) == 0;
}

}  // namespace

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

std::string nearest(const std::string& word, const std::vector<std::string>& words) {
    if (word.empty() || word.size() > longest_word) return "";
    const std::string w = plain(word);
    std::string best;
    std::size_t best_distance = std::string::npos;
    for (const std::string& candidate : words) {
        if (candidate.size() > 2 * longest_word) continue;
        const std::string c = plain(candidate);
        std::size_t d = distance(w, c);
        if (begins(c, w) || begins(w, c)) d = std::min<std::size_t>(d, 1);
        else if (d > std::max<std::size_t>(1, std::max(w.size(), c.size()) / 3) || d >= std::min(w.size(), c.size())) continue;
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

}  // namespace gannet
