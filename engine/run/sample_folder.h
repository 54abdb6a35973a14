// A folder for apps/generate with one PNG per sample: 000000.png, 000001.png, ...
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gannet {

std::string sample_name(int64_t index);

// The contents of a folder before new samples are written.
struct FolderContent {
    std::vector<int64_t> samples;  // the sorted numbers of the files with names of samples
    int64_t other_images = 0;      // PNG and JPEG files by their names, including those in subfolders
    std::vector<std::pair<std::string, std::string>> unlisted = {};  // what cannot be reached or listed, and why
};
// Nothing where there is no such folder. Throws Error where it cannot be listed.
FolderContent content_of(const std::string& folder);

// Removes these samples. Throws Error where one cannot be removed.
void remove_samples(const std::string& folder, const std::vector<int64_t>& samples);

}  // namespace gannet
