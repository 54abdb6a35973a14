// Locks that are released when the program that holds them ends, even if it is killed.
#pragma once
#include <memory>
#include <optional>
#include <string>

namespace gannet {

enum class Locked { yes, by_another, unsupported };

// Takes an exclusive lock on an open file without waiting; it lasts until the descriptor is closed.
Locked lock_file(int file);

// An exclusive lock on a folder, held while this object or a copy of it lives. If the file system cannot lock a folder, like NFS,
// the lock is on a file .lock in it, which remains there.
class FolderLock {
public:
    static constexpr const char* file_name = ".lock";
    // Returns nothing if another program holds the lock. Throws Error if the folder cannot be opened.
    static std::optional<FolderLock> take(const std::string& folder);
    bool works() const { return works_; }  // false: the file system has no locks
    bool on_file() const { return on_file_; }

private:
    std::shared_ptr<const int> file_;
    bool works_ = true, on_file_ = false;
};

}  // namespace gannet
