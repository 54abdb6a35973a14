// Reads a file that may be gzip-compressed and reports every kind of damage.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace gannet {

class ByteStream {
public:
    // The first two bytes decide whether the file is gzip, not its name. Throws Error if it cannot be opened.
    explicit ByteStream(const std::string& file);
    ~ByteStream();
    // Fills `bytes` as far as the content reaches and returns that number. Throws Error if the gzip data are damaged (by their
    // checksum, too) or truncated, or if bytes follow their end.
    std::size_t read(uint8_t* bytes, std::size_t count);
    // An upper bound of the content's length: the size of the file times gzip's largest compression ratio.
    int64_t longest() const;
    bool compressed() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// The content of compressed data; "" where they are damaged, truncated or longer than `most`. `window`: MAX_WBITS of zlib's own
// format, -MAX_WBITS of data without a header.
std::string inflated(std::string_view data, std::size_t most, int window);

}  // namespace gannet
