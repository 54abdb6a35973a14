// The files of an archive by their paths, with symbolic links resolved: the files that a folder would have after unpacking.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gannet {

class ArchiveTree {
public:
    struct Stored {
        int64_t number, bytes;
    };
    // The target of a link: a file under the link's name, or all files of a folder under names that begin with it.
    using TakeFile = std::function<void(const std::string& name, const Stored& file)>;
    using Ignore = std::function<void(const std::string& name, const std::string& kind, const std::string& example)>;

    explicit ArchiveTree(std::string archive) : archive_(std::move(archive)) {}  // printable, for errors

    // No system unpacks longer paths, and each step below may examine all folders of a path.
    static bool is_too_long(const std::string& path);
    static std::string too_long();  // why it is refused

    // The path of an entry in the folder into which the archive is unpacked: without ".", "..", what leads out of the archive,
    // and a '/' at its start or end.
    static std::string unpacked(const std::string& path);

    // Names are of unpacked(). A later entry replaces an earlier one; of add_file(), true says that it replaced a link.
    bool add_file(const std::string& name, const Stored& stored);
    void add_link(const std::string& name, const std::string& target);
    void add_folder(const std::string& name);
    const Stored* file(const std::string& name) const { return find_in(files_, name); }
    const std::string* link(const std::string& name) const { return find_in(links_, name); }  // what it points to

    // After all was added.
    void find_runs();
    void follow_links(const TakeFile& take, const Ignore& ignore);
    // The run folder that contains the file, or "". Not the root: a user who gives the archive of a run wants its pictures.
    std::string run_above(const std::string& name) const;

private:
    struct Stretch {
        std::string top, bottom;  // a folder, and one in it
    };

    template <class V>
    static const V* find_in(const std::map<std::string, V>& entries, const std::string& name) {
        const auto found = entries.find(name);
        return found == entries.end() ? nullptr : &found->second;
    }
    bool is_folder(const std::string& path) const;
    std::optional<std::string> resolve(const std::string& link, const std::string& target);
    void follow(const std::string& link, const std::string& target, const std::string& name, const TakeFile& take,
                const Ignore& ignore);
    void show_folder(const std::string& folder, const std::string& name, const TakeFile& take, const Ignore& ignore);
    bool on_way(const std::string& folder) const;
    std::string run_between(const std::string& folder, const std::string& path) const;
    void spend(std::size_t bytes);

    std::string archive_;
    std::map<std::string, Stored> files_;
    std::map<std::string, std::string> links_;
    std::set<std::string> folders_;  // those that have an entry of their own
    std::set<std::string, std::less<>> runs_;
    std::map<std::string, int> entered_;
    std::vector<Stretch> way_;  // all folders from the root to the link that is followed
    int64_t allowed_ = int64_t(64) << 20, spent_ = 0;
};

}  // namespace gannet
