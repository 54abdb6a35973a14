// Names of the entries of an archive, in whatever encoding and under whatever locale.
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace gannet {

// libarchive converts names through the locale of the thread, and drops those that do not fit. The process's own locale, often
// "C", holds neither the names of a zip that are UTF-8 nor keeps others as they are.
class EntryNames {
public:
    EntryNames(const std::string& file, bool zip);
    ~EntryNames();
    EntryNames(const EntryNames&) = delete;
    EntryNames& operator=(const EntryNames&) = delete;

    // archive_read_next_header in a fitting locale. Its status is returned.
    int next(archive* a, archive_entry*& entry) const;

    struct Name {
        std::string name, symlink;  // what a link points to, else ""
    };
    // Of the entry that next() gave just now, nothing where it has no name that can be read. Of a tar the bytes as they are; of a
    // zip UTF-8, and what is not is taken for code page 437, as the format says.
    std::optional<Name> name(archive* a, archive_entry* entry) const;

private:
    std::optional<Name> zip_name(archive* a, archive_entry* entry) const;
    std::string bytes_before(int64_t end, int64_t count) const;

    bool zip_;
    locale_t locale_;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;  // a zip
};

// Without what could point elsewhere: "./", a '/' at the start.
std::string without_root(std::string path);

}  // namespace gannet
