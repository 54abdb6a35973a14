// The set "folder": image files of a folder or an archive, all of one size.
#pragma once
#include "data/dataset.h"

namespace gannet {

Dataset load_images(const DatasetOptions& options, ThreadPool& threads);
DatasetInfo images_info(const DatasetOptions& options, std::string* absent);

// Throws Error if these images take more memory than is free.
void check_memory(int64_t count, int64_t H, int64_t W, int64_t C, const std::string& where, const FreeMemory& free);

}  // namespace gannet
