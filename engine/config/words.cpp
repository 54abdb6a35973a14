// Words and numbers in messages and on the reference page.
#include <algorithm>
#include <cctype>
#include <cmath>

#include "engine/config/spec.h"

namespace gannet::config {
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
constexpr std::size_t most_named = 60;     // a longer list does not help

bool begins(const std::string& word, const std::string& with) {
    return with.size() >= 3 && word.compare(0, with.size(), with) == 0;
}

}  // namespace

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

std::string number_text(double d) {
    const double most = std::fmod(d, 1e6) == 0 ? 1e7 : 1e15;  // 2147483647, but 1e12
    if (std::abs(d) < most && d == std::floor(d)) return std::to_string(int64_t(d));
    std::string text = json::dump(d);  // 1e+12 is written 1e12
    text.erase(std::remove(text.begin(), text.end(), '+'), text.end());
    return text;
}

std::string join(const std::vector<std::string>& words, const std::string& last) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) out += (i == 0 ? "" : i + 1 == words.size() ? last : ", ") + words[i];
    return out;
}

std::string suggest(const std::string& word, const std::vector<std::string>& words, const std::string& what,
                    const std::string& last) {
    const std::string near = nearest(word, words);
    if (!near.empty()) return "did you mean '" + near + "'?";
    if (words.size() > most_named) return what + " " + join({words.begin(), words.begin() + most_named}, ", ") + ", ...";
    return words.empty() ? "it has no keys" : what + " " + join(words, last);
}

}  // namespace gannet::config
