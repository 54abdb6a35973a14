// A tar archive, plain or compressed, or a zip file. It is read twice from start to end: for the names, then for the contents of
// the chosen files.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <new>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/files.h"
#include "base/reason.h"
#include "base/text.h"
#include "data/archive_tree.h"
#include "data/decode.h"
#include "data/entry_name.h"
#include "data/hash.h"
#include "data/source.h"

namespace gannet {
namespace {

const char* const fetch_again = "copy or download the file again";

// Images hardly compress. An archive that unpacks to more than data.max_bytes and more than this many times its size is taken for
// a zip bomb.
constexpr int64_t bomb_factor = 200;

struct Close {
    void operator()(archive* a) const { archive_read_free(a); }
};
using Handle = std::unique_ptr<archive, Close>;

// Why the library failed. Throws std::bad_alloc if memory ran out: that is not an error of the archive.
std::string complaint(archive* a) {
    const char* text = archive_error_string(a);
    const std::string why = text ? printable(text) : "unknown error";
    // The decoders of zip and zstd report it only as text.
    for (const char* no_memory : {"Can't initialize", "not enough memory"})
        if (why.find(no_memory) != std::string::npos) throw std::bad_alloc();
    if (archive_errno(a) == ENOMEM) throw std::bad_alloc();
    // The decoders of gzip and bzip2 report damage the same way. So check that the memory they need, and have freed, is available
    // now.
    constexpr std::size_t most_wanted = std::size_t(8) << 20;
    if (why == "gzip decompression failed" || why == "bzip decompression failed")
        ::operator delete(::operator new(most_wanted));  // throws
    return why;
}

class Archive : public ImageSource {
public:
    Archive(const std::string& path, const SourceLimits& limits) : ImageSource(path, limits) {
        std::error_code error;
        size_ = int64_t(std::filesystem::file_size(path, error));
        if (error) throw_file_error("read", printable(path), error.value());
        if (size_ == 0) throw Error("the file is empty", printable(path), fetch_again);
        most_unpacked_ = std::max(limits.unpacked, size_ * bomb_factor);
        entry_names_ = std::make_unique<EntryNames>(path_, is_zip());
        list();
        std::erase_if(found_, [&](const auto& image) {
            const bool replaced = !tree_->file(image.first);  // by a link
            if (replaced) ignored_.add(image.first, "repeated name", image.first);
            return replaced;
        });
        tree_->find_runs();
        tree_->follow_links([&](const std::string& name, const Stored& file) { add_up(file.bytes), find(name, file); },
                            [&](const std::string& name, const std::string& kind, const std::string& example) {
                                if (example.empty()) ignored_.add(name, kind);
                                else ignore_dead_link(name, kind, example);
                            });
        std::set<std::string> runs;
        std::erase_if(found_, [&](const auto& image) {
            const std::string run = tree_->run_above(image.first);
            if (!run.empty() && runs.insert(run).second) ignored_.add(run, "run folder");
            return !run.empty();
        });
        numbers_ = settle(std::move(found_));
        tree_.reset();
    }

    // Of the whole archive: it is one file.
    uint64_t content(int64_t, ThreadPool&, const LoadProgress& progress) const override {
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

    void read(int64_t begin, int64_t end, ThreadPool&, const Take& take) const override {
        std::unordered_map<int64_t, std::vector<int64_t>> wanted;  // indices by number: a file may have several names
        for (int64_t i = begin; i < end; ++i) wanted[numbers_[std::size_t(i)]].push_back(i);
        Handle a = start();
        std::vector<ImageFile> files;
        int64_t bytes = 0, most = bytes_at_once();
        const auto hand_over = [&] {
            if (!files.empty()) take(files);
            files.clear();
            bytes = 0;
            most = bytes_at_once();
        };
        archive_entry* entry = nullptr;
        for (int64_t number = 0; !wanted.empty() && next(a.get(), entry); ++number) {
            const auto found = wanted.find(number);
            if (found == wanted.end()) continue;
            const std::vector<int64_t> indices = std::move(found->second);
            wanted.erase(found);
            if (archive_entry_size(entry) > most - bytes) hand_over();
            ImageFile file;
            if (!read_entry(a.get(), archive_entry_size(entry), indices.front(),
                            file)) {  // discards what was read before
                a = start();
                number = -1;
            }
            for (const int64_t index : indices) {
                file.index = index;
                if (int64_t(file.bytes.size()) > most - bytes || files.size() == files_at_once) hand_over();
                files.push_back(file);
                bytes += int64_t(file.bytes.size());
            }
        }
        if (!wanted.empty()) throw Error("the archive changed while it was read", printable(path_), "try again");
        if (!files.empty()) take(files);
    }

private:
    using Stored = ArchiveTree::Stored;

    void list() {
        const Handle a = start();
        int64_t number = 0;
        for (archive_entry* entry = nullptr; next(a.get(), entry); ++number) {
            if (number == 0) check_end(a.get());
            const Stored stored{number, std::max<int64_t>(archive_entry_size(entry), 0)};
            add_up(stored.bytes);  // before the bytes are skipped, which for a compressed tar means unpacking them
            const std::optional<EntryNames::Name> read = entry_names_->name(a.get(), entry);
            const char* hard = archive_entry_hardlink(entry);
            const bool is_folder = archive_entry_filetype(entry) == AE_IFDIR,
                       too_long = read && ArchiveTree::is_too_long(read->name);
            const std::string place = "entry " + std::to_string(number + 1);
            const std::string name = read && !too_long ? ArchiveTree::unpacked(read->name) : "";
            if (too_long) {
                if (is_folder) continue;
                if (is_hidden(read->name) || !is_image_name(read->name)) ignored_.add(read->name);
                else leave_out(place, ArchiveTree::too_long());
            } else if (name.empty()) {
                if (!is_folder) leave_out(place, "its name cannot be read");
            } else if (is_folder) {
                tree_->add_folder(name);
            } else if (hard && stored.bytes == 0) {
                const std::string target =
                    ArchiveTree::is_too_long(hard) ? "" : ArchiveTree::unpacked(hard);  // which came before
                const Stored* file = tree_->file(target);
                const std::string* link = tree_->link(target);
                if (file) add_up(file->bytes), add_file(name, Stored(*file));
                else if (link) tree_->add_link(name, std::string(*link));
                else ignore_dead_link(name, "unresolved link", name + " -> " + target);
            } else if (archive_entry_filetype(entry) == AE_IFLNK) {
                tree_->add_link(name, read->symlink);
            } else if (archive_entry_filetype(entry) == AE_IFREG) {
                add_file(name, stored);
            } else {
                ignored_.add(name, "special file");
            }
        }
    }

    // The target of links counts once per link, because it is decoded each time.
    void add_up(int64_t bytes) {
        if (bytes > most_unpacked_ - unpacked_)
            throw Error("the archive of " + counted(size_, "byte") + " unpacks to more than " + grouped(most_unpacked_),
                        printable(path_), "raise data.max_bytes, or unpack the archive and give the folder");
        unpacked_ += bytes;
    }

    void add_file(const std::string& name, const Stored& stored) {
        if (tree_->add_file(name, stored)) ignored_.add(name, "repeated name", name);
        find(name, stored);
    }

    void find(const std::string& name, const Stored& stored) {
        if (!is_hidden(name) && is_image_name(name)) found_.emplace_back(name, stored.number);
        else ignored_.add(name);
    }

    bool is_zip() const {
        const Handle a = start();
        archive_entry* entry = nullptr;
        archive_read_next_header(a.get(), &entry);
        return (archive_format(a.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP;
    }

    Handle start() const {
        Handle a(archive_read_new());
        if (!a) throw std::bad_alloc();
        archive_read_support_filter_gzip(a.get());
        archive_read_support_filter_bzip2(a.get());
        archive_read_support_filter_xz(a.get());
        archive_read_support_filter_zstd(a.get());
        archive_read_support_format_tar(a.get());
        archive_read_support_format_zip_seekable(a.get());  // by its directory, so that a truncated file is detected
        if (archive_read_open_filename(a.get(), path_.c_str(), std::size_t(1) << 18) != ARCHIVE_OK)
            refuse_unopened(complaint(a.get()));
        return a;
    }

    [[noreturn]] void refuse_unopened(const std::string& why) const {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(path_.c_str(), "rb"), std::fclose);
        if (!in) throw Error("cannot open the archive: " + reason_of(errno), printable(path_), "check its permissions");
        char bytes[4] = {};
        const std::string_view magic(bytes, std::fread(bytes, 1, sizeof bytes, in.get()));
        if (magic == "PK\5\6") throw Error("the archive is empty", printable(path_), "put PNG or JPEG images there");
        for (const auto& [start, name] : {std::pair("7z\xbc\xaf", "7z"), {"Rar!", "rar"}})
            if (magic == start)
                throw Error(std::string("cannot read ") + name + " archives", printable(path_),
                            "pack the images as .tar or .zip, or set data.path to a folder of them");
        throw Error("cannot open the archive: " + why, printable(path_),
                    "give a .tar, .tar.gz or .zip file of PNG and JPEG images, or copy it again");
    }

    // False at the end.
    bool next(archive* a, archive_entry*& entry) const {
        const int status = entry_names_->next(a, entry);
        if (status == ARCHIVE_EOF) return false;
        if (status >= ARCHIVE_WARN) return true;
        if (archive_format(a) == 0)
            throw Error("not a tar or zip archive, or cut short", printable(path_),
                        "set data.path to a folder, or a .tar, .tar.gz or .zip file, of PNG and JPEG images");
        throw Error("the archive is damaged or cut short: " + complaint(a), printable(path_), fetch_again);
    }

    // A plain tar file that is cut between two entries looks complete, except that the zeros at its end are missing.
    void check_end(archive* a) const {
        constexpr int plain = 1;  // the last of the filters does nothing
        if (!is_tar(a) || archive_filter_count(a) != plain) return;
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(path_.c_str(), "rb"), std::fclose);
        std::vector<uint8_t> block(512);
        if (in && std::fseek(in.get(), -long(block.size()), SEEK_END) == 0 &&
            std::fread(block.data(), 1, block.size(), in.get()) == block.size() &&
            std::all_of(block.begin(), block.end(), [](uint8_t b) { return b == 0; }))
            return;
        throw Error("the archive is cut short: it has no end-of-archive mark", printable(path_), fetch_again);
    }

    // Returns false if reading cannot continue here: only a tar is then damaged as a whole.
    bool read_entry(archive* a, int64_t claimed, int64_t index, ImageFile& file) const {
        constexpr std::size_t step = std::size_t(1) << 16;  // at most the actual size: a header may claim terabytes
        constexpr std::size_t many = std::size_t(16) << 20;
        const auto grow = [&](std::size_t room) {
            if (room > many) check_memory_for(int64_t(room), place(index));
            file.bytes.reserve(room);
        };
        la_ssize_t got = 1;
        while (got > 0 && int64_t(file.bytes.size()) <= largest_) {
            const std::size_t have = file.bytes.size();
            if (have + step > file.bytes.capacity()) grow(2 * (have + step));
            file.bytes.resize(have + step);
            got = archive_read_data(a, file.bytes.data() + have, step);
            file.bytes.resize(have + std::size_t(std::max<la_ssize_t>(got, 0)));
            if (have > 0 || got <= 0) continue;
            file.unreadable = not_an_image(file.bytes);
            if (!file.unreadable.empty()) return file.bytes.clear(), true;  // the rest is skipped without being stored
            if (claimed > got && claimed <= largest_) grow(std::size_t(claimed) + step);
        }
        if (got == 0) return true;
        if (got == ARCHIVE_FATAL && is_tar(a))
            throw Error("the archive is damaged or cut short: " + complaint(a), printable(path_), fetch_again);
        file.unreadable = got < 0 ? complaint(a) : "a file of more than " + grouped(largest_) + " bytes";
        file.bytes.clear();
        return got != ARCHIVE_FATAL;
    }

    static bool is_tar(archive* a) { return (archive_format(a) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR; }

    std::unique_ptr<EntryNames> entry_names_;
    std::vector<int64_t> numbers_;  // of the names, in the archive's own order
    int64_t size_ = 0, unpacked_ = 0, most_unpacked_ = 0;

    // While it is listed
    std::unique_ptr<ArchiveTree> tree_ = std::make_unique<ArchiveTree>(printable(path_));
    std::vector<std::pair<std::string, int64_t>> found_;
};

}  // namespace

std::unique_ptr<ImageSource> open_archive(const std::string& path, const SourceLimits& limits) {
    return std::make_unique<Archive>(path, limits);
}

}  // namespace gannet
