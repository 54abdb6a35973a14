// Where a data set's image files come from: a folder or an archive. Nothing is ever unpacked to disk.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "data/dataset.h"

namespace gannet {

struct ImageFile {
    int64_t index = 0;  // into names()
    std::vector<uint8_t> bytes;
    std::string unreadable;  // why there are no bytes
};

// The omitted files, for one message line.
class IgnoredFiles {
public:
    // `kind`: the reason why it is omitted, in the singular; "": its file extension. `example`: the text for the first of this
    // kind.
    void add(const std::string& name, const std::string& kind = "", const std::string& example = "");
    int64_t count() const { return count_; }
    std::string text() const;  // "3 hidden, 1 run folder, 2 .txt"

private:
    int64_t count_ = 0;
    std::map<std::string, int64_t> kinds_;
    std::map<std::string, std::string> examples_;  // by kind
};

struct SourceLimits {
    int64_t file;              // bytes of a file; a larger one is unreadable
    int64_t unpacked;          // unpacked bytes of an archive, or 200 times its own size if that is more; a larger one is refused
    bool skip_broken = false;  // omit entries that cannot be read instead of throwing
    FreeMemory free = free_memory_now;
};

class ImageSource {
public:
    using Take = std::function<void(std::vector<ImageFile>& files)>;

    // A folder or an archive. Throws Error if it does not exist or has no images.
    static std::unique_ptr<ImageSource> open(const std::string& path, const SourceLimits& limits);
    virtual ~ImageSource() = default;

    // Names of the images, sorted folder by folder, without the folders that contain all of them.
    const std::vector<std::string>& names() const { return names_; }
    const std::string& common() const { return common_; }  // these folders, with a '/' at the end; or ""
    std::string place(int64_t index) const;                // for errors
    const IgnoredFiles& ignored() const { return ignored_; }
    // Entries that may hold images but could not be read: place within the source, reason.
    const std::vector<std::pair<std::string, std::string>>& unreachable() const { return unreachable_; }

    // Links that lead nowhere, and whose names are not those of images.
    const std::vector<std::string>& dead_links() const { return dead_links_; }

    // A hash of the names and contents of the first `count` images.
    virtual uint64_t content(int64_t count, ThreadPool& threads, const LoadProgress& progress) const = 0;
    // Passes the files [begin, end) in small pieces, in the order of the source.
    virtual void read(int64_t begin, int64_t end, ThreadPool& threads, const Take& take) const = 0;

protected:
    ImageSource(std::string path, const SourceLimits& limits)
        : path_(std::move(path)), largest_(limits.file), skip_broken_(limits.skip_broken), free_(limits.free) {}
    void leave_out(const std::string& place, const std::string& why);  // or throws
    void ignore_dead_link(const std::string& place, const std::string& kind, const std::string& example);
    // Sorts the names that were found; returns their original numbers in the order of names().
    std::vector<int64_t> settle(std::vector<std::pair<std::string, int64_t>> found);

    // The bytes of a file, before they are read.
    void check_memory_for(int64_t bytes, const std::string& place) const;
    // Of files in memory before they are decoded: a small part of what is free.
    int64_t bytes_at_once() const;

    std::string path_;
    int64_t largest_;
    bool skip_broken_;
    FreeMemory free_;
    std::vector<std::string> names_;
    std::string common_;
    IgnoredFiles ignored_;
    std::vector<std::pair<std::string, std::string>> unreachable_;
    std::vector<std::string> dead_links_;
};

// "a.png (why), b.png (why), ...", of places and reasons.
std::string named(const std::vector<std::pair<std::string, std::string>>& left_out);

std::string lower(std::string text);  // only ASCII

// By its name: PNG or JPEG.
bool is_image_name(const std::string& name);
// Whether a part of the path begins with '.' or is a system folder: thumbnails, waste baskets, snapshots.
bool is_hidden(const std::string& path);
// Whether a folder is the folder of a run: its pictures are not data.
bool is_run(const std::function<bool(const std::string& name)>& has);

constexpr std::size_t files_at_once = 256;
// What to do where an image needs more memory than is free. It is never omitted as broken: a set must not depend on what runs
// beside the program.
constexpr const char* more_memory =
    "give the program more memory, or smaller images: a lower data.max_pixels with data.broken \"skip\" omits large ones";

std::unique_ptr<ImageSource> open_folder(const std::string& path, const SourceLimits& limits);
std::unique_ptr<ImageSource> open_archive(const std::string& path, const SourceLimits& limits);

}  // namespace gannet
