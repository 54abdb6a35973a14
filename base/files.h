// Files whose failures are reported and whose replacement is all or nothing.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace gannet {

// These throw Error where the system cannot tell, as in a folder that may not be entered.
bool exists(const std::string& path);
bool is_folder(const std::string& path);
bool is_empty_folder(const std::string& path);   // but for temporary files and that of a FolderLock
std::string parent_of(const std::string& path);  // the folder that holds it: "." for a bare name
std::string without_slash(std::string path);     // at its end, but for "/"
void make_folders(const std::string& path);      // and those above it; no error where they exist
void sync_folder(const std::string& path);       // makes the names in it survive a power cut
// Throws Error if it is a pipe, a socket or a device, which a program could wait for without end.
void check_is_file(const std::string& path);
// The first `most` bytes. A pipe is read like a file, as from <(a command), but one that nobody writes to is an error.
std::string read_file(const std::string& path, std::size_t most = std::size_t(-1));

// Writes `content` so that after a crash, a full disk or a kill the file is either the old one or the new one.
void atomic_write(const std::string& path, std::string_view content);

// The same in pieces: bytes go to a temporary file beside `path`, which commit() syncs and renames. Without a commit the
// temporary file is removed and `path` stays as it was. Any number of programs may write one file: each has a temporary of its
// own, and the last to commit wins. A file that is replaced passes its mode on. A link is followed; a device or pipe is written
// to directly.
class AtomicFile {
public:
    explicit AtomicFile(const std::string& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    void write(const void* bytes, std::size_t count);
    void commit();

private:
    void open_temporary();
    [[noreturn]] void fail(int error);
    void close();

    std::string path_, temporary_;  // temporary_ is "" for a device
    int file_ = -1;
};

// Whether a file's name is that of an AtomicFile's temporary: ".NAME.gannet-0".
bool is_temporary(const std::string& name);
// Removes the temporaries that killed programs left in a folder. An AtomicFile does so for its own name.
void remove_dead_temporaries(const std::string& folder);

// All bytes or the system's error number (0: done).
int write_all(int file, const void* bytes, std::size_t count);

// "cannot WHAT: REASON (path): what to do", for the system's error number `error`.
[[noreturn]] void throw_file_error(const std::string& what, const std::string& path, int error);

}  // namespace gannet
