// The same operations by oneDNN, if the program was built with it (Debian's libdnnl-dev): apps/bench shows their times next to a
// kernel's. fp32, images in NHWC as ours; weights and their gradients in oneDNN's preferred layout, as in a program that reorders
// them once.
#pragma once
#include <functional>

#include "kernels/shapes.h"

namespace gannet::bench::onednn {

bool built();
// A call of the operation on arrays of the case's sizes; empty if oneDNN is not built in or does not support the shape.
std::function<void()> matmul(const MatmulShape& s, real* c, real* a, real* b, int threads);
enum class Pass { forward, data_gradient, weight_gradient };
std::function<void()> conv2d(const ConvShape& s, Pass pass, real* x, real* y, int threads);

}  // namespace gannet::bench::onednn
