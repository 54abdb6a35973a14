// An empty kernel, whose launch shows whether the GPU takes this program's code: its machine code, or PTX that the driver
// translates.
#pragma once
#include <cuda_runtime.h>

#include "kernels/shapes.h"

namespace gannet::kernels::cuda {

cudaError_t launch_nothing(Stream stream);

}  // namespace gannet::kernels::cuda
