#include "engine/run/sample_folder.h"

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/format.h"
#include "base/reason.h"
#include "data/source.h"

namespace gannet {
namespace {

namespace fs = std::filesystem;

// The number of a sample's file; -1 for another name.
int64_t number_of(const std::string& name) {
    constexpr std::size_t digits = 6;
    if (name.size() != digits + 4 || !name.ends_with(".png")) return -1;
    const std::string number = name.substr(0, digits);
    return std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; }) ? std::stoll(number) : -1;
}

}  // namespace

std::string sample_name(int64_t index) { return formatted("%06lld.png", static_cast<long long>(index)); }

FolderContent content_of(const std::string& folder) {
    FolderContent content;
    std::vector<std::string> below;
    const auto list = [&](const std::string& here) {
        std::error_code error;
        for (fs::directory_iterator entry(here, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
            const std::string name = entry->path().filename().string();
            std::error_code no_status, no_target;
            const fs::file_status status = entry->symlink_status(no_status);  // the target of a link is not a sample
            const int64_t number = here == folder && fs::is_regular_file(status) ? number_of(name) : -1;
            if (no_status && no_status != std::errc::no_such_file_or_directory)
                content.unlisted.emplace_back(entry->path().string(), reason_of(no_status.value()));
            else if (number >= 0) content.samples.push_back(number);
            else if (fs::is_directory(status)) below.push_back(entry->path().string());
            else if (is_image_name(name) && !is_hidden(name) && !entry->is_directory(no_target)) ++content.other_images;
        }
        return error;
    };
    if (const std::error_code error = list(folder); error && error != std::errc::no_such_file_or_directory)
        throw_file_error("list the folder", folder, error.value());
    for (std::size_t i = 0; i < below.size(); ++i) {  // the list becomes longer
        const std::string here = below[i];
        if (const std::error_code error = list(here)) content.unlisted.emplace_back(here, reason_of(error.value()));
    }
    std::sort(content.samples.begin(), content.samples.end());
    return content;
}

void remove_samples(const std::string& folder, const std::vector<int64_t>& samples) {
    for (const int64_t sample : samples) {
        const std::string file = (fs::path(folder) / sample_name(sample)).string();
        std::error_code error;
        fs::remove(file, error);
        if (error) throw_file_error("remove", file, error.value());
    }
}

}  // namespace gannet
