// Batch and layer normalisation with an activation at the end. x, y, dy, dx (rows, cols).
// Batch norm: Ioffe and Szegedy, arXiv 1502.03167; statistics per column. Layer norm: Ba et al., arXiv 1607.06450; per row.

// mean_var[0..cols) = column means, mean_var[cols..2 cols) = biased column variances (two-level, not E[x^2]-E[x]^2)
KERNEL void moments(real* mean_var, const T* x, const RowsShape& s, Stream stream);

// y = act(gamma (x - mean) / sqrt(var + eps) + beta), with mean_var from `moments`, or running statistics. gamma and beta (cols)
// may both be null.
KERNEL void batch_norm(T* y, const T* x, const real* mean_var, const T* gamma, const T* beta, const RowsShape& s, real eps,
                       Activation act, Stream stream);

// The gradient of batch_norm, including the dependence of the statistics on x. y is the output (read only if act is not none).
// dgamma and dbeta (cols) may both be null, and so may gamma.
KERNEL void batch_norm_grad(T* dx, T* dgamma, T* dbeta, const T* x, const T* y, const T* dy, const real* mean_var, const T* gamma,
                            const RowsShape& s, real eps, Activation act, Stream stream);

// Updates all running statistics of a network in one launch; `stats` are `count` (at most most_running_stats) structs in host
// memory.
void running_stats_update(const RunningStats* stats, int64_t count, Stream stream);

// y = act(gamma (x - mean_i) / sqrt(var_i + eps) + beta) with row statistics. mean_rstd receives the means [0..rows) and the
// reciprocal standard deviations [rows..2 rows). gamma and beta (cols) may both be null.
KERNEL void layer_norm(T* y, real* mean_rstd, const T* x, const T* gamma, const T* beta, const RowsShape& s, real eps,
                       Activation act, Stream stream);
KERNEL void layer_norm_grad(T* dx, T* dgamma, T* dbeta, const T* x, const T* y, const T* dy, const real* mean_rstd,
                            const T* gamma, const RowsShape& s, Activation act, Stream stream);
