// Words and numbers in messages and on the reference page.
#include <algorithm>
#include <cctype>
#include <cmath>

#include "engine/config/spec.h"

namespace gannet::config {
namespace {

constexpr std::size_t most_named = 60;  // a longer list does not help

}  // namespace

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
