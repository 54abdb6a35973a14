// The same kernels as plain loops over their formulas, on one thread: a baseline in apps/bench.
#pragma once

#include "kernels/shapes.h"

namespace gannet::bench::naive {

// c and the operands as in kernels/contract.
void matmul(real* c, const real* a, const real* b, const MatmulShape& s);
void conv2d(real* y, const real* x, const real* w, const ConvShape& s);
void conv2d_dgrad(real* dx, const real* dy, const real* w, const ConvShape& s);
void conv2d_wgrad(real* dw, const real* x, const real* dy, const ConvShape& s);
void sum_rows(real* y, const real* x, const RowsShape& s);
void sum_cols(real* y, const real* x, const RowsShape& s);
void moments(real* mean_var, const real* x, const RowsShape& s);
void batch_norm(real* y, const real* x, const real* mean_var, const real* gamma, const real* beta, const RowsShape& s, real eps,
                real slope);
void transpose(real* y, const real* x, const TransposeShape& s);
void adam_update(real* w, real* m, real* v, const real* g, const OptimizerState& state, const AdamParameters& p, int64_t n);

}  // namespace gannet::bench::naive
