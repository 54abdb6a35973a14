#include "data/source.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace gannet {
namespace {

std::string ending(const std::string& name) {
    const std::size_t slash = name.rfind('/'), dot = name.rfind('.');
    if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) return "";
    return lower(name.substr(dot));
}

// "run folder"; neither a file extension nor "hidden".
bool is_reason(const std::string& kind) { return kind[0] != '.' && kind.find(' ') != std::string::npos; }

// Folder by folder: a '/' sorts before all other characters.
bool before(const std::string& a, const std::string& b) {
    const auto rank = [](char c) { return c == '/' ? 0 : int(uint8_t(c)) + 1; };
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [&](char x, char y) { return rank(x) < rank(y); });
}

std::string common_folders(const std::vector<std::string>& names) {
    std::string common = names.front().substr(0, names.front().rfind('/') + 1);
    for (const std::string& name : names)
        while (!name.starts_with(common)) {
            common.pop_back();
            common.resize(common.rfind('/') + 1);
        }
    return common;
}

}  // namespace

std::string lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    return text;
}

bool is_image_name(const std::string& name) {
    const std::string end = ending(name);
    return end == ".png" || end == ".jpg" || end == ".jpeg" || end == ".jpe" || end == ".jfif";
}

bool is_hidden(const std::string& path) {
    // macOS in archives; Synology, QNAP and NetApp; Windows; ext4
    constexpr std::string_view kept_by_systems[] = {
        "__macosx",           "@eadir",    "@tmp",         "@__thumb", "@recycle", "#recycle",   "#snapshot",
        "@recently-snapshot", "~snapshot", "$recycle.bin", "recycler", "recycled", "lost+found", "system volume information"};
    const std::string small = lower(path);
    for (std::size_t at = 0; at < small.size();) {
        const std::size_t end = std::min(small.find('/', at), small.size());
        const std::string_view part(small.data() + at, end - at);
        if (part.starts_with('.') && part != "." && part != "..") return true;
        if (part.size() == 9 && part.starts_with("found.") && part.find_first_not_of("0123456789", 6) == std::string_view::npos)
            return true;
        if (std::find(std::begin(kept_by_systems), std::end(kept_by_systems), part) != std::end(kept_by_systems)) return true;
        at = end + 1;
    }
    return false;
}

bool is_run(const std::function<bool(const std::string& name)>& has) {
    return has("config.json") && (has("checkpoint.safetensors") || (has("samples") && has("log.jsonl")));
}

void IgnoredFiles::add(const std::string& name, const std::string& kind, const std::string& example) {
    ++count_;
    const std::string end = ending(name);
    const bool hidden = is_hidden(name);
    ++kinds_[hidden ? "hidden" : !kind.empty() ? kind : end.empty() || end.size() > 10 ? "others" : printable(end)];
    if (!hidden && !example.empty()) examples_.try_emplace(kind, printable(example));
}

std::string IgnoredFiles::text() const {
    constexpr std::size_t most_kinds = 5;
    std::string text;
    int64_t rest = 0;
    std::size_t kinds = 0;
    for (const auto& [kind, count] : kinds_) {
        if (++kinds > most_kinds) {
            rest += count;
            continue;
        }
        text += (text.empty() ? "" : ", ") + grouped(count) + " " + kind + (count > 1 && is_reason(kind) ? "s" : "");
        if (const auto example = examples_.find(kind); example != examples_.end())
            text += (count > 1 ? " (the first: " : " (") + example->second + ")";
    }
    return text + (rest ? ", " + grouped(rest) + " more" : "");
}

std::string named(const std::vector<std::pair<std::string, std::string>>& left_out) {
    constexpr std::size_t most_named = 3;
    std::string text;
    for (std::size_t i = 0; i < std::min(left_out.size(), most_named); ++i)
        text += (i ? ", " : "") + printable(left_out[i].first) + " (" + left_out[i].second + ")";
    return text + (left_out.size() > most_named ? ", ..." : "");
}

std::unique_ptr<ImageSource> ImageSource::open(const std::string& path, const SourceLimits& limits) {
    if (!exists(path))
        throw Error("there is no such file or folder", printable(path),
                    "set data.path to a folder, or a tar or zip archive, of PNG and JPEG images");
    const bool folder = is_folder(path);
    std::error_code error;
    if (!folder && !std::filesystem::is_regular_file(path, error))
        throw Error("neither a folder nor a file", printable(path), "set data.path to a folder, or a tar or zip archive");
    const std::string trimmed = without_slash(path);
    std::unique_ptr<ImageSource> source = folder ? open_folder(trimmed, limits) : open_archive(trimmed, limits);
    if (!source->names().empty()) return source;
    if (!source->unreachable().empty())
        throw Error("none of its images can be read: " + named(source->unreachable()), printable(path), "check its permissions");
    const int64_t others = source->ignored().count();
    if (others == 0)
        throw Error(folder ? "the folder is empty" : "the archive is empty", printable(path), "put PNG or JPEG images there");
    throw Error("no PNG or JPEG images, only " + counted(others, "other file") + ": " + source->ignored().text(), printable(path),
                "the names of images end in .png, .jpg or .jpeg");
}

void ImageSource::leave_out(const std::string& place, const std::string& why) {
    if (!skip_broken_)
        throw Error(why, printable(path_ + "/" + place), "make it readable, or skip all such entries with data.broken \"skip\"");
    unreachable_.emplace_back(place, why);
}

void ImageSource::ignore_dead_link(const std::string& place, const std::string& kind, const std::string& example) {
    ignored_.add(place, kind, example);
    if (!is_hidden(place) && !is_image_name(place)) dead_links_.push_back(place);
}

void ImageSource::check_memory_for(int64_t bytes, const std::string& place) const {
    const std::string lack = lack_of_memory(double(bytes), free_());
    if (!lack.empty()) throw LackOfMemory("the file takes " + lack, place, more_memory);
}

int64_t ImageSource::bytes_at_once() const {
    constexpr int64_t least = int64_t(1) << 20, most = int64_t(64) << 20, part = 8;
    return std::clamp(free_() / part, least, most);
}

std::string ImageSource::place(int64_t index) const { return printable(path_ + "/" + common_ + names_[std::size_t(index)]); }

std::vector<int64_t> ImageSource::settle(std::vector<std::pair<std::string, int64_t>> found) {
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return a.first != b.first ? before(a.first, b.first) : a.second < b.second; });
    // If an archive has a name twice, the later file counts, as after unpacking.
    std::vector<int64_t> numbers;
    for (auto& [name, number] : found) {
        if (!names_.empty() && names_.back() == name) {
            numbers.back() = number;
            ignored_.add(name, "repeated name", name);
            continue;
        }
        names_.push_back(std::move(name));
        numbers.push_back(number);
    }
    if (names_.empty()) return numbers;
    common_ = common_folders(names_);
    for (std::string& name : names_) name.erase(0, common_.size());
    return numbers;
}

}  // namespace gannet
