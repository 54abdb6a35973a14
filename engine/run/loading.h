// Loading the data of a training, and showing how far it is.
#pragma once
#include "data/dataset.h"

namespace gannet {

// load_dataset, with a progress bar and what there is to say on stderr: a bar that is rewritten on a terminal, elsewhere a line
// every few seconds. What is there at once shows nothing.
Dataset load_and_show(DatasetOptions options, ThreadPool& threads);

// Throws Error, which begins with `what`, if `out` is in the folder of the data, where pictures would become images of the next
// run; "": runs/.
void refuse_output_in_data(const DatasetOptions& data, const std::string& out, const std::string& what);

}  // namespace gannet
