#include "data/stream.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "base/error.h"
#include "base/reason.h"

namespace gannet {
namespace {
const char* const fetch_again = "copy or download the file again";
}  // namespace

struct ByteStream::State {
    std::string file;
    std::FILE* in = nullptr;
    int64_t size = 0;
    bool gzip = false, ended = false;
    z_stream z{};
    std::vector<uint8_t> buffer = std::vector<uint8_t>(1 << 16);

    ~State() {
        if (gzip) inflateEnd(&z);
        if (in) std::fclose(in);
    }

    std::size_t read_file(uint8_t* bytes, std::size_t count) {
        const std::size_t n = std::fread(bytes, 1, count, in);
        if (n < count && std::ferror(in)) throw Error("cannot read: " + reason_of(errno), file, "check the file and its disk");
        return n;
    }

    // True while there is input to inflate.
    bool refill() {
        if (z.avail_in == 0) {
            z.next_in = buffer.data();
            z.avail_in = uInt(read_file(buffer.data(), buffer.size()));
        }
        return z.avail_in > 0;
    }

    std::size_t inflate_some(uint8_t* bytes, std::size_t count) {
        z.next_out = bytes;
        z.avail_out = uInt(count);
        while (z.avail_out > 0 && !ended) {
            if (!refill()) throw Error("gzip data end too early: the file is truncated", file, fetch_again);
            const int status = inflate(&z, Z_NO_FLUSH);
            if (status == Z_MEM_ERROR) throw std::bad_alloc();
            if (status != Z_OK && status != Z_STREAM_END)
                throw Error(std::string("gzip data are damaged") + (z.msg ? std::string(": ") + z.msg : ""), file, fetch_again);
            // A gzip file may hold several members, one after the other.
            if (status == Z_STREAM_END && refill()) {
                if (*z.next_in != 0x1f) throw Error("bytes follow the end of the gzip data", file, fetch_again);
                inflateReset(&z);
            } else if (status == Z_STREAM_END) {
                ended = true;
            }
        }
        return count - z.avail_out;
    }
};

ByteStream::ByteStream(const std::string& file) : state_(std::make_unique<State>()) {
    State& s = *state_;
    s.file = file;
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0) throw Error("cannot open: " + reason_of(errno), file, "check the path");
    if (!S_ISREG(info.st_mode)) throw Error("not a file", file, "name a regular file");  // opening a pipe would wait
    s.in = std::fopen(file.c_str(), "rb");
    if (!s.in) throw Error("cannot open: " + reason_of(errno), file, "check the path and its permissions");
    s.size = info.st_size;
    uint8_t start[2];
    const bool magic = s.read_file(start, 2) == 2 && start[0] == 0x1f && start[1] == 0x8b;
    std::rewind(s.in);
    if (!magic) return;
    if (inflateInit2(&s.z, 15 + 16) != Z_OK) throw std::bad_alloc();
    s.gzip = true;
}

ByteStream::~ByteStream() = default;

bool ByteStream::compressed() const { return state_->gzip; }

// Deflate reaches 1032:1 at most.
int64_t ByteStream::longest() const { return state_->gzip ? state_->size * 1032 : state_->size; }

std::size_t ByteStream::read(uint8_t* bytes, std::size_t count) {
    if (!state_->gzip) return state_->read_file(bytes, count);
    std::size_t done = 0;
    while (done < count) {
        const std::size_t n = state_->inflate_some(bytes + done, std::min<std::size_t>(count - done, 1 << 30));
        if (n == 0) break;
        done += n;
    }
    return done;
}

std::string inflated(std::string_view data, std::size_t most, int window) {
    std::string out;
    z_stream stream{};
    if (inflateInit2(&stream, window) != Z_OK) throw std::bad_alloc();
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = uInt(std::min<std::size_t>(data.size(), UINT32_MAX));
    std::array<char, 16384> part;
    int status = Z_OK;
    while (status == Z_OK && out.size() <= most) {
        stream.next_out = reinterpret_cast<Bytef*>(part.data());
        stream.avail_out = uInt(part.size());
        status = inflate(&stream, Z_NO_FLUSH);
        if (status == Z_OK || status == Z_STREAM_END) out.append(part.data(), part.size() - stream.avail_out);
    }
    inflateEnd(&stream);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    return status == Z_STREAM_END && out.size() <= most ? out : "";
}

}  // namespace gannet
