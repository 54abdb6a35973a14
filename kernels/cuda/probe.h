// An empty kernel. Its launch shows whether the GPU can run this program's code, either its machine code or PTX that the driver
// translates.
#pragma once
#include <cuda_runtime.h>

#include "kernels/shapes.h"

namespace gannet::kernels::cuda {

cudaError_t launch_nothing(Stream stream);

}  // namespace gannet::kernels::cuda
