// A tar archive, plain or compressed, or a zip file. It is read twice from its start to its end: for the names, then for what
// is in the chosen files.
#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <unordered_map>

#include "data/hash.h"
#include "data/source.h"
#include "data/text.h"
#include "kernels/error.h"

namespace gannet {
namespace {

const char* const fetch_again = "copy or download the file again";

// Images do not shrink much: what unpacks to more than data.max_bytes and to this many times its size was made to fill a disk.
constexpr int64_t bomb_factor = 200;

struct Close {
    void operator()(archive* a) const { archive_read_free(a); }
};
using Handle = std::unique_ptr<archive, Close>;

std::string complaint(archive* a) {
    const char* text = archive_error_string(a);
    return text ? printable(text) : "unknown error";
}

// In UTF-8 where the archive says so, whatever the locale. Without what could point elsewhere: "./", a '/' at the start.
std::string name_of(archive_entry* entry, int64_t number) {
    const char* raw = archive_entry_pathname_utf8(entry);
    if (!raw) raw = archive_entry_pathname(entry);
    std::string name = raw ? raw : "#" + std::to_string(number);
    while (name.starts_with('/') || name.starts_with("./")) name.erase(0, name[0] == '/' ? 1 : 2);
    return name;
}

class Archive : public ImageSource {
public:
    Archive(const std::string& path, const SourceLimits& limits) : ImageSource(path, limits.file) {
        size_ = int64_t(std::filesystem::file_size(path));
        if (size_ == 0) throw Error("the file is empty", printable(path), fetch_again);
        const Handle a = start();
        std::vector<std::pair<std::string, int64_t>> found;
        const int64_t most = std::max(limits.unpacked, size_ * bomb_factor);
        int64_t number = 0, unpacked = 0;
        for (archive_entry* entry = nullptr; next(a.get(), entry); ++number) {
            if (number == 0) check_end(a.get());
            const std::string name = name_of(entry, number);
            if (archive_entry_filetype(entry) == AE_IFDIR) continue;
            // Added up before the bytes are passed over, which for a compressed tar means to unpack them.
            const int64_t bytes = std::max<int64_t>(archive_entry_size(entry), 0);
            if (bytes > most - unpacked)
                throw Error(
                    "the archive of " + grouped(size_) + " bytes unpacks to more than " + grouped(most), printable(path),
                    "images do not shrink so much; if these do, raise data.max_bytes, or unpack them and give the folder");
            unpacked += bytes;
            const bool file = archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry);
            if (file && !is_hidden(name) && is_image_name(name)) found.emplace_back(name, number);
            else ignored_.add(name);
        }
        numbers_ = settle(std::move(found));
    }

    // Of the whole archive: it is one file.
    uint64_t content(int64_t, const LoadProgress& progress) const override {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(path_.c_str(), "rb"), std::fclose);
        std::vector<uint8_t> bytes(std::size_t(4) << 20);
        Hash hash;
        int64_t done = 0;
        for (std::size_t got = 0; in && (got = std::fread(bytes.data(), 1, bytes.size(), in.get())) > 0;) {
            hash.add(bytes.data(), got);
            if (progress) progress("reading", done += int64_t(got), size_);
        }
        if (!in || std::ferror(in.get())) throw Error("cannot read the archive", printable(path_), "check the file and its disk");
        return hash.value();
    }

    void read(int64_t begin, int64_t end, const Take& take) const override {
        std::unordered_map<int64_t, int64_t> wanted;  // index by number
        for (int64_t i = begin; i < end; ++i) wanted[numbers_[std::size_t(i)]] = i;
        Handle a = start();
        std::vector<ImageFile> files;
        std::size_t bytes = 0;
        archive_entry* entry = nullptr;
        for (int64_t number = 0; !wanted.empty() && next(a.get(), entry); ++number) {
            const auto found = wanted.find(number);
            if (found == wanted.end()) continue;
            files.push_back({found->second, {}, {}});
            wanted.erase(found);
            if (!read_entry(a.get(), files.back())) {  // what was read before is no longer wanted
                a = start();
                number = -1;
            }
            bytes += files.back().bytes.size();
            if (bytes < bytes_at_once && files.size() < files_at_once) continue;
            take(files);
            files.clear();
            bytes = 0;
        }
        if (!wanted.empty()) throw Error("the archive changed while it was read", printable(path_), "try again");
        if (!files.empty()) take(files);
    }

private:
    Handle start() const {
        Handle a(archive_read_new());
        if (!a) throw std::bad_alloc();
        archive_read_support_filter_gzip(a.get());
        archive_read_support_filter_bzip2(a.get());
        archive_read_support_filter_xz(a.get());
        archive_read_support_filter_zstd(a.get());
        archive_read_support_format_tar(a.get());
        archive_read_support_format_zip_seekable(a.get());  // by its directory, so that a file cut short is noticed
        if (archive_read_open_filename(a.get(), path_.c_str(), std::size_t(1) << 18) != ARCHIVE_OK)
            throw Error("cannot open the archive: " + complaint(a.get()), printable(path_),
                        "a readable .tar, .tar.gz or .zip file of PNG and JPEG images is wanted; check its permissions, or copy "
                        "it again");
        return a;
    }

    // False at the end.
    bool next(archive* a, archive_entry*& entry) const {
        const int status = archive_read_next_header(a, &entry);
        if (status == ARCHIVE_EOF) return false;
        if (status >= ARCHIVE_WARN) return true;
        if (archive_format(a) == 0)
            throw Error("neither a tar nor a zip archive, or one that is cut short", printable(path_),
                        "set data.path to a folder, or a .tar, .tar.gz or .zip file, of PNG and JPEG images");
        throw Error("the archive is damaged or cut short: " + complaint(a), printable(path_), fetch_again);
    }

    // A plain tar file that is cut between two of its files looks whole but for the zeros at its end.
    void check_end(archive* a) const {
        constexpr int plain = 1;  // the last of the filters does nothing
        if (!is_tar(a) || archive_filter_count(a) != plain) return;
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(path_.c_str(), "rb"), std::fclose);
        std::vector<uint8_t> block(512);
        if (in && std::fseek(in.get(), -long(block.size()), SEEK_END) == 0 &&
            std::fread(block.data(), 1, block.size(), in.get()) == block.size() &&
            std::all_of(block.begin(), block.end(), [](uint8_t b) { return b == 0; }))
            return;
        throw Error("the archive is cut short: it lacks tar's mark at the end", printable(path_), fetch_again);
    }

    // False where the archive cannot be read on from here: only a tar is then damaged as a whole.
    bool read_entry(archive* a, ImageFile& file) const {
        constexpr std::size_t step = std::size_t(1) << 16;  // no more than there is: a header may claim terabytes
        la_ssize_t got = 1;
        while (got > 0 && int64_t(file.bytes.size()) <= largest_) {
            const std::size_t have = file.bytes.size();
            file.bytes.resize(have + step);
            got = archive_read_data(a, file.bytes.data() + have, step);
            file.bytes.resize(have + std::size_t(std::max<la_ssize_t>(got, 0)));
        }
        if (got == 0) return true;
        if (got == ARCHIVE_FATAL && is_tar(a))
            throw Error("the archive is damaged or cut short: " + complaint(a), printable(path_), fetch_again);
        file.unreadable = got < 0 ? complaint(a) : "a file of more than " + grouped(largest_) + " bytes";
        file.bytes.clear();
        return got != ARCHIVE_FATAL;
    }

    static bool is_tar(archive* a) { return (archive_format(a) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR; }

    std::vector<int64_t> numbers_;  // of the names, in the archive's own order
    int64_t size_ = 0;
};

}  // namespace

std::unique_ptr<ImageSource> open_archive(const std::string& path, const SourceLimits& limits) {
    return std::make_unique<Archive>(path, limits);
}

}  // namespace gannet
