#include "data/labels.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace gannet {
namespace {

constexpr int64_t most_labels = 256;  // a label is a byte

}  // namespace

void label(Dataset& set, const ImageSource& source, int64_t count) {
    std::vector<uint8_t> labels;
    std::string stray, last;
    int64_t strays = 0, classes = 0;
    for (const std::string& name : source.names()) {
        const std::size_t slash = name.find('/');
        if (slash == std::string::npos) {
            if (strays++ == 0) stray = name;
            continue;
        }
        const std::string folder = name.substr(0, slash);
        if (classes == 0 || folder != last) ++classes, last = folder;
        if (classes > most_labels) continue;
        if (set.classes.size() < std::size_t(classes)) set.classes.push_back(folder);
        if (int64_t(labels.size()) < count) labels.push_back(uint8_t(classes - 1));
    }
    if (classes == 0) set.no_labels = "all its images are in one folder";
    else if (strays > 0)
        set.no_labels = printable(stray) + " is in no class folder" +
                        (strays > 1 ? strays > 2 ? ", nor are " + grouped(strays - 1) + " others" : ", nor is 1 other" : "");
    else if (classes > most_labels) set.no_labels = grouped(classes) + " class folders, at most " + std::to_string(most_labels);
    const auto is_in_a_class = [&](const std::string& place) {
        if (!place.starts_with(source.common())) return false;
        const std::string below = place.substr(source.common().size());
        return std::find(set.classes.begin(), set.classes.end(), below.substr(0, below.find('/'))) != set.classes.end();
    };
    for (const auto& [place, why] : source.unreachable())
        if (set.no_labels.empty() && !is_in_a_class(place))
            set.no_labels = printable(place) + " may be a class, but cannot be read (" + why + ")";
    for (const std::string& place : source.dead_links())
        if (set.no_labels.empty() && !is_in_a_class(place))
            set.no_labels = printable(place) + " may be a class, but is a link to nothing";
    if (set.no_labels.empty()) set.labels = std::move(labels);
    else set.classes.clear();
}

std::string classes_text(const Dataset& set) {
    constexpr std::size_t most_named = 10;
    std::string text = counted(int64_t(set.classes.size()), "class", "classes") + ": ";
    for (std::size_t i = 0; i < std::min(set.classes.size(), most_named); ++i)
        text += (i ? ", " : "") + printable(set.classes[i]);
    return text + (set.classes.size() > most_named ? ", ..." : "");
}

bool classes_are_splits(const Dataset& set) {
    return std::all_of(set.classes.begin(), set.classes.end(), [](const std::string& name) {
        constexpr std::string_view splits[] = {"train", "training", "test", "testing", "val", "valid", "validation"};
        return std::find(std::begin(splits), std::end(splits), lower(name)) != std::end(splits);
    });
}

}  // namespace gannet
