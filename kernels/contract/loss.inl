// Losses on n scores; see LossForm.

// out[0] = weight * mean f(x) + plus[0]; `plus` may be null. A loss of several terms is computed term by term.
KERNEL void loss(T* out, const T* x, const T* plus, const LossForm& form, int64_t n, Stream stream);
// dx = dout[0] * weight / n * f'(x). For bce, f' is (p - t) / max(p (1-p), 1e-12), as in torch; for hinge, f' is 0 at the kink.
KERNEL void loss_grad(T* dx, const T* x, const T* dout, const LossForm& form, int64_t n, Stream stream);
// Softmax cross-entropy of rows of `cols` scores against labels (rows), integers in [0, cols): out[0] = mean_i (log_sums[i] -
// x[i, labels[i]]), log_sums[i] = log sum_j exp(x[i,j]), which the backward pass uses.
KERNEL void cross_entropy(T* out, T* log_sums, const T* x, const T* labels, const RowsShape& s, Stream stream);
// dx[i,j] = dout[0] / rows * (exp(x[i,j] - log_sums[i]) - (j == labels[i] ? 1 : 0))
KERNEL void cross_entropy_grad(T* dx, const T* x, const T* labels, const T* log_sums, const T* dout, const RowsShape& s,
                               Stream stream);
// out[0] = sqrt(sum x^2) over n elements, for the log (gradient norms)
KERNEL void norm2(T* out, const T* x, int64_t n, Stream stream);
