// Sums over a (rows, cols) matrix, and their adjoints. Deterministic: the shape decides the number of slices; each slice is
// summed in order, then the slices are added in order.

// y[j] = sum_i x[i,j]
KERNEL void sum_rows(T* y, const T* x, const RowsShape& s, Stream stream);
// y[i] = sum_j x[i,j]
KERNEL void sum_cols(T* y, const T* x, const RowsShape& s, Stream stream);
// y[i,j] = v[j]
KERNEL void expand_rows(T* y, const T* v, const RowsShape& s, Stream stream);
// y[i,j] = v[i]
KERNEL void expand_cols(T* y, const T* v, const RowsShape& s, Stream stream);
// dx = act'(.) dy as activation_grad, and db[j] = sum_i dx[i,j], in one pass: the backward pass of bias + activation
KERNEL void bias_activation_grad(T* dx, T* db, const T* y, const T* dy, const RowsShape& s, Activation act, Stream stream);
// y[i] = sqrt(sum_j x[i,j]^2 + norm_epsilon)
KERNEL void row_norm(T* y, const T* x, const RowsShape& s, Stream stream);
// out[0] = weight * mean_i (norm_i - target)^2 with norm_i = row_norm of row i; norms[rows] is kept for the backward.
// WGAN-GP, Gulrajani et al., arXiv 1704.00028.
KERNEL void gradient_penalty(T* out, T* norms, const T* x, T target, T weight, const RowsShape& s, Stream stream);
// dx[i,j] = dout[0] * weight * (2 / rows) * (norm_i - target) / norm_i * x[i,j]
KERNEL void gradient_penalty_grad(T* dx, const T* x, const T* norms, const T* dout, T target, T weight, const RowsShape& s,
                                  Stream stream);
