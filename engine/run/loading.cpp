#include "engine/run/loading.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "engine/run/progress.h"

namespace gannet {

Dataset load_and_show(DatasetOptions options, ThreadPool& threads) {
    Bar bar;
    options.report = bar.report();
    return load_dataset(options, threads);
}

void refuse_output_in_data(const DatasetOptions& data, const std::string& out, const std::string& what) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (data.set != "folder" || !fs::is_directory(data.path, error)) return;  // data that cannot be read are not checked
    const std::string place = out.empty() ? "runs" : out;
    const fs::path folder = fs::canonical(data.path, error), run = fs::weakly_canonical(fs::absolute(place), error);
    if (error || std::mismatch(folder.begin(), folder.end(), run.begin(), run.end()).first != folder.end()) return;
    throw Error(what + " would be inside its data, " + printable(data.path), printable(place),
                out.empty() ? "name a folder outside the data with --out" : "choose an --out outside the data");
}

}  // namespace gannet
