#include "data/labels.h"

#include "base/text.h"

namespace gannet {
namespace {

constexpr int64_t most_labels = 256;  // a label is a byte

}  // namespace

void label(Dataset& set, const std::vector<std::string>& names, int64_t count) {
    std::vector<uint8_t> labels;
    std::string stray, last;
    int64_t strays = 0, classes = 0;
    for (const std::string& name : names) {
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
    if (set.no_labels.empty()) set.labels = std::move(labels);
    else set.classes.clear();
}

}  // namespace gannet
