#include "data/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/extents.h"
#include "base/reason.h"
#include "base/text.h"
#include "data/hash.h"

namespace gannet {
namespace {

// The header of a file; pixels, labels and lines follow. The number changes when a decoder's output changes.
struct Header {
    char magic[16] = "gannet images 2";
    uint64_t key = 0;
    int64_t count = 0, H = 0, W = 0, C = 0;
    int64_t labels = 0, text = 0;  // bytes
    uint64_t content = 0;          // Hash of what follows
};

// count * H * W * C, or -1 for what cannot be.
int64_t pixel_bytes(const Header& h) {
    int64_t n = 1;
    return multiply(n, std::array{h.count, h.H, h.W, h.C}) && n > 0 ? n : -1;
}

uint64_t hash_of(const Dataset& set, const std::string& text) {
    Hash hash;
    hash.add(set.pixels);
    hash.add(set.labels);
    hash.add(text);
    return hash.value();
}

// Owns the descriptor.
struct File {
    std::FILE* handle;
    File(int descriptor, const char* mode) : handle(::fdopen(descriptor, mode)) {
        const int error = errno;
        if (!handle) ::close(descriptor);
        errno = error;
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (handle) std::fclose(handle);
    }
    // Does not call the library for zero bytes, whose pointer may be null.
    bool read(void* to, std::size_t count) const { return !count || std::fread(to, 1, count, handle) == count; }
    bool write(const void* from, std::size_t count) const { return !count || std::fwrite(from, 1, count, handle) == count; }
};

// A new file next to `file`, locked so that no other program takes it for the file of a stopped writer. Returns -1 and sets errno
// on failure.
int locked_temporary(const std::string& file, std::string& name) {
    for (;;) {
        name = file + ".XXXXXX";
        const int descriptor = ::mkstemp(name.data());
        if (descriptor < 0) return -1;
        struct stat info {};
        ::flock(descriptor, LOCK_EX);  // a file system without locks is not an error
        if (::fstat(descriptor, &info) != 0 || info.st_nlink > 0) return descriptor;
        ::close(descriptor);  // another program removed it in between
    }
}

}  // namespace

bool read_cache(const std::string& file, uint64_t key, Dataset& set, std::vector<std::string>& lines, const FreeMemory& free) {
    const int descriptor = file.empty() ? -1 : ::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return false;
    const File in(descriptor, "rb");
    struct stat info {};
    Header h;
    const Header expected;
    constexpr mode_t of_others = S_IWGRP | S_IWOTH;
    if (!in.handle || ::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != ::geteuid() ||
        (info.st_mode & of_others) || !in.read(&h, sizeof h) || std::memcmp(h.magic, expected.magic, sizeof h.magic) != 0 ||
        h.key != key)
        return false;
    ::flock(descriptor, LOCK_SH | LOCK_NB);  // in use. Without it all can be read as well
    // Never allocates more than the file holds.
    const int64_t pixels = pixel_bytes(h), rest = info.st_size - int64_t(sizeof h);
    if (pixels < 0 || pixels > rest || (h.labels != 0 && h.labels != h.count) || h.text < 0 || h.text > rest ||
        pixels + h.labels + h.text != rest || !lack_of_memory(double(rest), free()).empty())  // decoding then says so
        return false;
    Dataset found = set;
    found.count = h.count, found.H = h.H, found.W = h.W, found.C = h.C;
    found.pixels.resize(std::size_t(pixels));
    found.labels.resize(std::size_t(h.labels));
    std::string text(std::size_t(h.text), '\0');
    if (!in.read(found.pixels.data(), found.pixels.size()) || !in.read(found.labels.data(), found.labels.size()) ||
        !in.read(text.data(), text.size()) || hash_of(found, text) != h.content)
        return false;
    set = std::move(found);
    ::futimens(descriptor, nullptr);  // used now
    lines.clear();
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
        lines.push_back(text.substr(at, end - at));
    return true;
}

std::string write_cache(const std::string& file, uint64_t key, const Dataset& set, const std::vector<std::string>& lines) {
    if (file.empty()) return "neither XDG_CACHE_HOME nor HOME is set";
    const int64_t limit = cache_limit();
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    Header h;
    h.key = key;
    h.count = set.count, h.H = set.H, h.W = set.W, h.C = set.C;
    h.labels = int64_t(set.labels.size()), h.text = int64_t(text.size());
    h.content = hash_of(set, text);

    const int64_t bytes = int64_t(sizeof h) + pixel_bytes(h) + h.labels + h.text;
    if (bytes > limit) return grouped(bytes / 1000000) + " MB, more than GANNET_CACHE_GB, " + grouped(limit / 1000000) + " MB";
    std::error_code error;
    const std::string folder = std::filesystem::path(file).parent_path().string();
    std::filesystem::create_directories(folder, error);
    if (error) return reason_of(error.value());
    if (const int failed = make_room(folder, bytes, limit)) return "cannot list the folder: " + reason_of(failed);
    std::string temporary;
    const int descriptor = locked_temporary(file, temporary);
    if (descriptor < 0) return reason_of(errno);
    int failure = 0;
    {
        const File out(descriptor, "wb");  // the lock lasts until the file has its name
        const bool written = out.handle && out.write(&h, sizeof h) && out.write(set.pixels.data(), set.pixels.size()) &&
                             out.write(set.labels.data(), set.labels.size()) && out.write(text.data(), text.size()) &&
                             std::fflush(out.handle) == 0 && ::fsync(descriptor) == 0 &&
                             ::rename(temporary.c_str(), file.c_str()) == 0;
        if (!written) failure = errno ? errno : EIO;
        if (failure) ::unlink(temporary.c_str());
    }
    return failure ? reason_of(failure) : "";
}

}  // namespace gannet
