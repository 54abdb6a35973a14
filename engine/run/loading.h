// Loads the data of a training and shows progress.
#pragma once
#include "data/dataset.h"

namespace gannet {

// load_dataset with a progress bar and messages on stderr. On a terminal the bar is rewritten in place, elsewhere it is a line
// every few seconds. Short loads show nothing.
Dataset load_and_show(DatasetOptions options, ThreadPool& threads);

// Throws Error, starting with `what`, if `out` is inside the folder of the data, where its pictures would become data of the next
// run; "": runs/.
void refuse_output_in_data(const DatasetOptions& data, const std::string& out, const std::string& what);

}  // namespace gannet
