// A folder and the folders in it.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>

#include "base/error.h"
#include "base/reason.h"
#include "base/text.h"
#include "data/hash.h"
#include "data/source.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

// Reads the whole file into `bytes`, or returns the reason why not.
std::string read_whole(const std::string& file, int64_t largest, std::vector<uint8_t>& bytes) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> open(std::fopen(file.c_str(), "rb"), std::fclose);
    std::FILE* in = open.get();
    if (!in) return "cannot open it: " + reason_of(errno);
    struct stat info {};
    if (::fstat(::fileno(in), &info) != 0 || !S_ISREG(info.st_mode)) return "not a regular file";
    if (info.st_size > largest) return "a file of " + grouped(info.st_size) + " bytes";
    bytes.resize(std::size_t(info.st_size));
    bytes.resize(std::fread(bytes.data(), 1, bytes.size(), in));
    return std::ferror(in) ? "cannot read it: " + reason_of(errno) : "";
}

class Folder : public ImageSource {
public:
    Folder(const std::string& path, const SourceLimits& limits) : ImageSource(path, limits) {
        walk("");
        settle(std::move(found_));
    }

    uint64_t content(int64_t count, ThreadPool& threads, const LoadProgress& progress) const override {
        std::vector<uint64_t> all(static_cast<std::size_t>(count));
        int64_t done = 0;
        read(0, count, threads, [&](std::vector<ImageFile>& files) {
            parallel_for(threads, int64_t(files.size()), [&](int64_t i) {
                const ImageFile& file = files[std::size_t(i)];
                Hash hash;
                hash.add(names_[std::size_t(file.index)]);
                hash.add(file.bytes);
                all[std::size_t(file.index)] = hash.value();
            });
            if (progress) progress("reading", done += int64_t(files.size()), count);
        });
        Hash hash;
        for (const uint64_t one : all) hash.add(one);
        return hash.value();
    }

    void read(int64_t begin, int64_t end, ThreadPool& threads, const Take& take) const override {
        while (begin < end) {
            std::vector<ImageFile> files;
            const int64_t most = bytes_at_once();
            for (int64_t bytes = 0; begin < end && files.size() < files_at_once; ++begin) {
                std::error_code error;
                const std::uintmax_t size = fs::file_size(full(begin), error);
                const int64_t wanted = error || int64_t(size) > largest_ ? 0 : int64_t(size);  // others are not read
                if (!files.empty() && wanted > most - bytes) break;
                if (wanted > most) check_memory_for(wanted, place(begin));
                bytes += wanted;
                files.push_back({begin, {}, {}});
            }
            parallel_for(threads, int64_t(files.size()), [&](int64_t i) {
                ImageFile& file = files[std::size_t(i)];
                file.unreadable = read_whole(full(file.index), largest_, file.bytes);
            });
            take(files);
        }
    }

private:
    std::string full(int64_t index) const { return path_ + "/" + common_ + names_[std::size_t(index)]; }

    using Id = std::pair<dev_t, ino_t>;

    // `inside`: the path below path_, "" or with a '/' at its end. Links are followed, even if two lead to one place, but never
    // back to a folder on the current path, so the walk ends.
    void walk(const std::string& inside) {
        const std::string here = path_ + "/" + inside;
        struct stat info {};
        if (::stat(here.c_str(), &info) != 0) return leave_out(inside, "cannot enter the folder: " + reason_of(errno));
        const Id id{info.st_dev, info.st_ino};
        if (std::find(way_.begin(), way_.end(), id) != way_.end()) return;
        constexpr int most_ways = 1000;  // links to links double at each level
        if (++entered_[id] > most_ways)
            throw Error("more than " + std::to_string(most_ways) + " links lead to the folder", printable(here), "remove some");
        const auto has = [&](const std::string& name) { return ::access((here + name).c_str(), F_OK) == 0; };
        if (!inside.empty() && is_run(has)) return ignored_.add(inside, "run folder");
        way_.push_back(id);
        std::vector<std::string> folders;
        std::error_code error;
        fs::directory_iterator entry(here, error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error))
            if (is_folder(*entry, inside)) folders.push_back(entry->path().filename().string());
        if (error) leave_out(inside, "cannot list the folder: " + reason_of(error.value()));
        std::sort(folders.begin(), folders.end());  // the order does not depend on the disk
        for (const std::string& name : folders) walk(inside + name + "/");
        way_.pop_back();
    }

    // Notes entries that are not folders. A possible image that cannot be examined is reported when it is read.
    bool is_folder(const fs::directory_entry& entry, const std::string& inside) {
        const std::string name = entry.path().filename().string();
        if (is_hidden(name)) return ignored_.add(name), false;
        std::error_code error;
        if (entry.is_directory(error)) return true;
        const bool file = !error && entry.is_regular_file(error), image = is_image_name(name);
        if (image && (file || error)) found_.emplace_back(inside + name, int64_t(found_.size()));
        else if (error == std::errc::no_such_file_or_directory) ignore_dead_link(inside + name, "dead link", inside + name);
        else if (error) leave_out(inside + name, reason_of(error.value()));
        else ignored_.add(name, file ? "" : "special file");
        return false;
    }

    std::vector<std::pair<std::string, int64_t>> found_;
    std::vector<Id> way_;
    std::map<Id, int> entered_;
};

}  // namespace

std::unique_ptr<ImageSource> open_folder(const std::string& path, const SourceLimits& limits) {
    return std::make_unique<Folder>(path, limits);
}

}  // namespace gannet
