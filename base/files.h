// Files: every failure is reported, and a file is replaced completely or not at all.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace gannet {

// These throw Error if the system cannot answer, for example in a folder without permission to enter it.
bool exists(const std::string& path);
bool is_folder(const std::string& path);
bool is_empty_folder(const std::string& path);   // except for temporary files and the file of a FolderLock
std::string parent_of(const std::string& path);  // the folder that holds it: "." for a bare name
std::string without_slash(std::string path);     // at the end, except for "/"
void make_folders(const std::string& path);      // and its parents; no error if they exist
void sync_folder(const std::string& path);       // makes the names in it survive a power cut
// Throws Error if it is a pipe, a socket or a device, which could block forever.
void check_is_file(const std::string& path);
// The first `most` bytes. A pipe, as from <(a command), is read like a file; a pipe without a writer is an error.
std::string read_file(const std::string& path, std::size_t most = std::size_t(-1));

// Writes `content` so that after a crash, a full disk or a kill the file is either the old one or the new one.
void atomic_write(const std::string& path, std::string_view content);

// The same in pieces: write() writes to a temporary file next to `path`, and commit() syncs and renames it. Without a commit the
// temporary file is removed and `path` is unchanged. Several programs may write the same file: each has its own temporary file,
// and the last commit wins. The new file keeps the mode of the old one. Links are followed; a device or pipe is written to
// directly.
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
// Removes the temporary files of killed programs from a folder. An AtomicFile does this for its own name.
void remove_dead_temporaries(const std::string& folder);

// All bytes or the system's error number (0: done).
int write_all(int file, const void* bytes, std::size_t count);

// "cannot WHAT: REASON (path): what to do", for the system's error number `error`.
[[noreturn]] void throw_file_error(const std::string& what, const std::string& path, int error);

}  // namespace gannet
