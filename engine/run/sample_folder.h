// A folder that apps/generate fills with one PNG for each sample: 000000.png, 000001.png, ...
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gannet {

std::string sample_name(int64_t index);

// What a folder holds before new samples come.
struct FolderContent {
    std::vector<int64_t> samples;  // the numbers of the files in it that are named as samples are, in order
    int64_t other_images = 0;      // PNG and JPEG files by their names, those in folders below included
    std::vector<std::pair<std::string, std::string>> unlisted = {};  // what cannot be reached or listed, and why
};
// Nothing where there is no such folder. Throws Error where it cannot be listed.
FolderContent content_of(const std::string& folder);

// Removes these samples. Throws Error where one cannot be removed.
void remove_samples(const std::string& folder, const std::vector<int64_t>& samples);

}  // namespace gannet
