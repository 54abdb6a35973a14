// Files whose failures are reported and whose replacement is all or nothing.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace gannet {

bool exists(const std::string& path);
bool is_folder(const std::string& path);
bool is_empty_folder(const std::string& path);
std::string parent_of(const std::string& path);  // the folder that holds it: "." for a bare name
void make_folders(const std::string& path);      // and those above it; no error where they exist
void sync_folder(const std::string& path);       // makes the names in it survive a power cut
std::string read_file(const std::string& path);

// Writes `content` so that after a crash, a full disk or a kill the file is either the old one or the new one.
void atomic_write(const std::string& path, std::string_view content);

// The same in pieces: bytes go to a temporary file beside `path`, which commit() syncs and renames. Without a commit the
// temporary file is removed and `path` stays as it was. A link is followed; a device or pipe is written to directly.
class AtomicFile {
public:
    explicit AtomicFile(const std::string& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    void write(const void* bytes, std::size_t count);
    void commit();

private:
    [[noreturn]] void fail(int error);
    void close();

    std::string path_, temporary_;  // temporary_ is "" for a device
    int file_ = -1;
};

// All bytes or the system's error number (0: done).
int write_all(int file, const void* bytes, std::size_t count);

// "cannot WHAT: REASON (path): what to do", for the system's error number `error`.
[[noreturn]] void throw_file_error(const std::string& what, const std::string& path, int error);

}  // namespace gannet
