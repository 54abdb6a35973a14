// Data sets without files. Image i depends only on i, so a smaller set is the start of a larger one.
//
//   ring    8 points on a circle of radius 0.8, with normal noise of deviation 0.02
//   grid    5 x 5 points, at -0.8, -0.4, 0, 0.4 and 0.8 both ways, with the same noise
//   blobs   one, two or three soft round spots of random colours and sizes on a dark background; square
//
// Points are pixels of an image of 1 x 1 x 2: x, then y. For a network, data.range replaces the range -1 to 1 above. Images are
// stored as bytes, so points lie on a lattice of 1/127.5, 0.4 of the noise's standard deviation. The label is the number of the
// mode, which cycles with i, or the number of blobs minus one. The split "test" has different noise.
#pragma once
#include "data/dataset.h"

namespace gannet {

bool is_procedural(const std::string& name);
std::vector<std::string> procedural_names();
Dataset procedural_set(const DatasetOptions& options, ThreadPool& threads);
DatasetInfo procedural_info(const DatasetOptions& options);

// Images of noise without labels, to measure speed with.
Dataset noise_images(int64_t count, int64_t H, int64_t W, int64_t C);

}  // namespace gannet
