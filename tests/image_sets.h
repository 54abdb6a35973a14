// Folders and archives of the fixtures in tests/images, created during a test.
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "tests/image_files.h"
#include "tests/temporary.h"
#include "tests/threads.h"

// A folder with renamed fixtures and its own cache.
struct Pictures {
    TemporaryFolder folder;
    Pictures() { ::setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1); }
    ~Pictures() { ::unsetenv("XDG_CACHE_HOME"); }

    void add(const std::string& name, const std::string& fixture) const {
        const std::filesystem::path to = folder / ("set/" + name);
        std::filesystem::create_directories(to.parent_path());
        std::filesystem::copy_file(fixture_file(fixture), to);
    }
    gannet::DatasetOptions options(int64_t size = 16) const {
        return {.set = "folder", .path = folder / "set", .size = size, .where = [](const std::string& key) {
                    return "data." + key + ", m.json:3";
                }};
    }
    std::string pack(const std::string& name, int (*format)(archive*)) const {
        const std::string file = folder / name;
        archive* out = archive_write_new();
        format(out);
        REQUIRE(archive_write_open_filename(out, file.c_str()) == ARCHIVE_OK);
        for (const auto& found : std::filesystem::recursive_directory_iterator(folder / "set")) {
            if (!found.is_regular_file()) continue;
            const std::string bytes = read_text(found.path().string());
            archive_entry* entry = archive_entry_new();
            archive_entry_set_pathname(entry, std::filesystem::relative(found.path(), folder / "set").c_str());
            archive_entry_set_size(entry, int64_t(bytes.size()));
            archive_entry_set_filetype(entry, AE_IFREG);
            archive_entry_set_perm(entry, 0644);
            archive_write_header(out, entry);
            archive_write_data(out, bytes.data(), bytes.size());
            archive_entry_free(entry);
        }
        archive_write_free(out);
        return file;
    }
};

// One entry of an unusual archive.
struct Entry {
    std::string name, bytes;                  // a folder's name ends with '/'
    std::string symlink = {}, hardlink = {};  // targets of links
    int64_t claimed = 0;                      // size in the header, if not that of `bytes`; only for the last entry
};

inline std::string pack_entries(const std::string& file, int (*format)(archive*), int (*filter)(archive*),
                                const std::vector<Entry>& entries) {
    archive* out = archive_write_new();
    format(out);
    filter(out);
    archive_write_set_bytes_per_block(out, 0);
    std::size_t room = 1 << 16, used = 0;  // libarchive pads an entry with missing bytes with zeros up to this size
    for (const Entry& e : entries) room += 2 * e.bytes.size() + 4 * e.name.size() + 4096;
    std::vector<char> packed(room);
    REQUIRE(archive_write_open_memory(out, packed.data(), packed.size(), &used) == ARCHIVE_OK);
    for (const Entry& e : entries) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, e.name.c_str());
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_filetype(entry, !e.symlink.empty() ? AE_IFLNK : e.name.ends_with('/') ? AE_IFDIR : AE_IFREG);
        archive_entry_set_size(entry, e.claimed ? e.claimed : int64_t(e.bytes.size()));
        if (!e.symlink.empty()) archive_entry_set_symlink(entry, e.symlink.c_str());
        if (!e.hardlink.empty()) archive_entry_set_hardlink(entry, e.hardlink.c_str());
        CHECK(archive_write_header(out, entry) >= ARCHIVE_WARN);  // warns if a name is in no encoding
        archive_write_data(out, e.bytes.data(), e.bytes.size());
        archive_entry_free(entry);
    }
    archive_write_free(out);
    std::ofstream(file, std::ios::binary).write(packed.data(), std::streamsize(used));
    return file;
}

inline constexpr auto tar = archive_write_set_format_pax_restricted, zip = archive_write_set_format_zip;
inline constexpr auto plain = archive_write_add_filter_none, gz = archive_write_add_filter_gzip;

// Every file and link below a folder, except those of the cache.
inline std::set<std::string> all_files_of(const std::string& folder) {
    std::set<std::string> all;
    for (const auto& found : std::filesystem::recursive_directory_iterator(folder))
        if (!has(found.path().string(), folder + "/cache")) all.insert(found.path().string());
    return all;
}

// Loads a set and returns its messages as one text.
inline std::string said(gannet::DatasetOptions options, gannet::Dataset* set = nullptr) {
    std::string text;
    options.report.say = [&](const std::string& line) { text += line + "\n"; };
    const gannet::Dataset loaded = gannet::load_dataset(options, threads());
    if (set) *set = loaded;
    return text;
}
