// Names of the entries of an archive, in any encoding and any locale.
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

// libarchive converts names through the thread's locale and drops those that do not fit. The process's locale, often "C", can
// neither represent UTF-8 names of a zip nor keep other names unchanged.
class EntryNames {
public:
    EntryNames(const std::string& file, bool zip);
    ~EntryNames();
    EntryNames(const EntryNames&) = delete;
    EntryNames& operator=(const EntryNames&) = delete;

    // Calls archive_read_next_header in a suitable locale and returns its status.
    int next(archive* a, archive_entry*& entry) const;

    struct Name {
        std::string name, symlink;  // what a link points to, else ""
    };
    // The name of the entry that next() just returned, or nothing if it cannot be read. The bytes of a tar's name are unchanged;
    // a zip's name is UTF-8 or else code page 437, as the format says.
    std::optional<Name> name(archive* a, archive_entry* entry) const;

private:
    std::optional<Name> zip_name(archive* a, archive_entry* entry) const;
    std::string bytes_before(int64_t end, int64_t count) const;

    bool zip_;
    locale_t locale_;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;  // a zip
};

// The name without "./" and without a '/' at the start.
std::string without_root(std::string path);

}  // namespace gannet
