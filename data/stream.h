// Bytes of a file that may be gzip-compressed, with every kind of damage reported.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace gannet {

class ByteStream {
public:
    // The first two bytes tell whether the file is gzip, not its name. Throws Error if it cannot be opened.
    explicit ByteStream(const std::string& file);
    ~ByteStream();
    // Fills `bytes` as far as the content reaches and returns how much that was. Throws Error where gzip is damaged or
    // cut short (its checksum included), and where bytes follow the end of the compressed data.
    std::size_t read(uint8_t* bytes, std::size_t count);
    // No content can be longer, whatever a header claims: the file's size, times what gzip can reach.
    int64_t longest() const;
    bool compressed() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace gannet
