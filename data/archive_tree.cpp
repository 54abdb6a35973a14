#include "data/archive_tree.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "data/source.h"

namespace gannet {
namespace {

constexpr std::size_t longest_path = 4096;  // Linux's own limit
constexpr int64_t most_folders = 256;
constexpr int most_links = 40;  // on the way to one file: Linux's own limit
constexpr int most_ways = 1000;

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

// The folder itself or what is in it.
bool is_below(const std::string& path, const std::string& folder) {
    return folder.empty() || (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

// Puts the parts of a link's target in front of the remaining path. Returns false if it leads out of the archive or nowhere.
bool put_ahead(std::vector<std::string>& ahead, const std::string& target) {
    if (target.empty() || target[0] == '/' || target.size() > longest_path) return false;
    for (std::size_t end = target.size(); end != std::string::npos && end > 0;) {
        const std::size_t slash = target.rfind('/', end - 1), begin = slash == std::string::npos ? 0 : slash + 1;
        const std::string part = target.substr(begin, end - begin);
        if (!part.empty() && part != ".") ahead.push_back(part);
        end = slash;
    }
    return true;
}

}  // namespace

bool ArchiveTree::is_too_long(const std::string& path) {
    return path.size() > longest_path || std::count(path.begin(), path.end(), '/') > most_folders;
}

std::string ArchiveTree::too_long() {
    return "a path of more than " + grouped(int64_t(longest_path)) + " bytes or " + grouped(most_folders) + " folders";
}

std::string ArchiveTree::unpacked(const std::string& path) {
    std::string normal = std::filesystem::path(path).lexically_normal().string();
    std::size_t begin = normal.find_first_not_of('/'), end = normal.find_last_not_of('/') + 1;
    if (begin == std::string::npos) return "";
    while (normal.compare(begin, 3, "../") == 0) begin += 3;
    normal = normal.substr(begin, end - begin);
    return normal == "." || normal == ".." ? "" : normal;
}

bool ArchiveTree::add_file(const std::string& name, const Stored& stored) {
    constexpr int64_t often = 50;
    allowed_ += often * int64_t(name.size() + 64);
    files_[name] = stored;
    return links_.erase(name) > 0;
}

void ArchiveTree::add_link(const std::string& name, const std::string& target) {
    constexpr int64_t often = 50;
    allowed_ += often * int64_t(name.size() + 64);
    links_[name] = target;
    files_.erase(name);
}

void ArchiveTree::add_folder(const std::string& name) { folders_.insert(name); }

void ArchiveTree::find_runs() {
    const auto look = [&](const std::string& path) {
        const std::string folder = folder_of(path);
        if (folder.empty() || !path.ends_with("/config.json")) return;
        const auto has = [&](const std::string& what) {
            const std::string inside = folder + "/" + what;
            return files_.contains(inside) || links_.contains(inside) || is_folder(inside);
        };
        if (is_run(has)) runs_.insert(folder);
    };
    for (const auto& [path, stored] : files_) look(path);
    for (const auto& [path, target] : links_) look(path);
}

std::string ArchiveTree::run_above(const std::string& name) const { return run_between("", name); }

// The first run folder within `folder` that the path is in, or "".
std::string ArchiveTree::run_between(const std::string& folder, const std::string& path) const {
    if (runs_.empty()) return "";
    for (std::size_t slash = path.find('/', folder.size() + 1); slash != std::string::npos; slash = path.find('/', slash + 1))
        if (runs_.contains(std::string_view(path).substr(0, slash))) return path.substr(0, slash);
    return "";
}

bool ArchiveTree::is_folder(const std::string& path) const {
    const auto holds = [&](const auto& entries) {
        const auto below = entries.lower_bound(path + "/");
        return below != entries.end() && below->first.starts_with(path + "/");
    };
    return path.empty() || folders_.contains(path) || holds(files_) || holds(links_);
}

// A small archive must not expand to millions of files.
void ArchiveTree::spend(std::size_t bytes) {
    spent_ += int64_t(bytes) + 64;
    if (spent_ > allowed_)
        throw Error("its links lead to far more files than it holds", archive_,
                    "remove links to folders, or unpack it and give the folder");
}

// Resolves a path part by part, as an operating system does: the path of a file or folder of the archive, "" for its root.
// Returns nothing if the link is dangling, circular or leads out of the archive.
std::optional<std::string> ArchiveTree::resolve(const std::string& link, const std::string& target) {
    std::string at = folder_of(link);
    std::vector<std::string> ahead;
    if (!put_ahead(ahead, target)) return std::nullopt;
    for (int links = 1; !ahead.empty();) {
        const std::string part = std::move(ahead.back());
        ahead.pop_back();
        spend(at.size());
        if (part == "..") {
            if (at.empty()) return std::nullopt;
            at = folder_of(at);
            continue;
        }
        const std::string next = at.empty() ? part : at + "/" + part;
        const auto found = links_.find(next);
        if (found != links_.end()) {
            if (++links > most_links || !put_ahead(ahead, found->second)) return std::nullopt;
        } else {
            if (!ahead.empty() && !is_folder(next)) return std::nullopt;
            at = next;
        }
    }
    return files_.contains(at) || is_folder(at) ? std::optional(at) : std::nullopt;
}

void ArchiveTree::follow_links(const TakeFile& take, const Ignore& ignore) {
    for (const auto& [link, target] : links_) {
        way_ = {{"", folder_of(link)}};
        follow(link, target, link, take, ignore);
    }
}

// `name`: the path under which the link appears.
void ArchiveTree::follow(const std::string& link, const std::string& target, const std::string& name, const TakeFile& take,
                         const Ignore& ignore) {
    if (is_hidden(name)) return ignore(name, "", "");
    const std::optional<std::string> at = resolve(link, target);
    if (!at || int(way_.size()) > most_links) return ignore(name, "unresolved link", name + " -> " + target);
    if (const auto found = files_.find(*at); found != files_.end()) take(name, found->second);
    else show_folder(*at, name, take, ignore);
}

// As in a folder walk: never back to a folder on the current path.
void ArchiveTree::show_folder(const std::string& folder, const std::string& name, const TakeFile& take, const Ignore& ignore) {
    if (on_way(folder)) return;
    if (++entered_[folder] > most_ways)
        throw Error("more than " + std::to_string(most_ways) + " links lead to the folder", archive_ + "/" + printable(folder),
                    "remove some");
    if (runs_.contains(folder)) return ignore(name, "run folder", "");
    std::set<std::string> runs;
    const auto wanted = [&](const std::string& path) {
        spend(name.size() + path.size());
        const auto passed = [&](const Stretch& s) { return is_below(s.top, folder) && is_below(path, s.top); };
        if (std::any_of(way_.begin(), way_.end(), passed)) return false;
        const std::string run = run_between(folder, path);
        if (!run.empty() && runs.insert(run).second) ignore(name + run.substr(folder.size()), "run folder", "");
        return run.empty();
    };
    const std::string inside = folder + "/";
    for (auto f = files_.lower_bound(inside); f != files_.end() && f->first.starts_with(inside); ++f)
        if (wanted(f->first)) take(name + f->first.substr(folder.size()), f->second);
    for (auto l = links_.lower_bound(inside); l != links_.end() && l->first.starts_with(inside); ++l) {
        if (!wanted(l->first)) continue;
        way_.push_back({folder, folder_of(l->first)});
        follow(l->first, l->second, name + l->first.substr(folder.size()), take, ignore);
        way_.pop_back();
    }
}

bool ArchiveTree::on_way(const std::string& folder) const {
    return std::any_of(way_.begin(), way_.end(),
                       [&](const Stretch& s) { return is_below(s.bottom, folder) && is_below(folder, s.top); });
}

}  // namespace gannet
