// A 64-bit hash of contents. Not cryptographic: collisions can be constructed.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace gannet {

class Hash {
public:
    void add(uint64_t word) {  // injective in `word`, and in the state before
        state_ = (state_ ^ word) * 0x9E3779B97F4A7C15u;
        state_ ^= state_ >> 32;
    }
    void add(const void* bytes, std::size_t count) {
        const auto* at = static_cast<const uint8_t*>(bytes);
        add(uint64_t(count));  // so that "ab", "c" is not "a", "bc"
        uint64_t word = 0;
        for (; count >= 8; count -= 8, at += 8) {
            std::memcpy(&word, at, 8);
            add(word);
        }
        word = 0;
        if (count > 0) std::memcpy(&word, at, count);
        add(word);
    }
    void add(const std::string& text) { add(text.data(), text.size()); }
    void add(const std::vector<uint8_t>& bytes) { add(bytes.data(), bytes.size()); }
    uint64_t value() const { return state_; }

private:
    uint64_t state_ = 0x67616E6E6574u;
};

}  // namespace gannet
