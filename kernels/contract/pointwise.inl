// Elementwise kernels over n elements. n == 0 is a no-op.

KERNEL void fill(T* y, T value, int64_t n, Stream stream);
KERNEL void copy(T* y, const T* x, int64_t n, Stream stream);
KERNEL void add(T* y, const T* a, const T* b, int64_t n, Stream stream);
KERNEL void sub(T* y, const T* a, const T* b, int64_t n, Stream stream);
KERNEL void mul(T* y, const T* a, const T* b, int64_t n, Stream stream);
KERNEL void div(T* y, const T* a, const T* b, int64_t n, Stream stream);
// y = scale * x + offset
KERNEL void affine(T* y, const T* x, T scale, T offset, int64_t n, Stream stream);
KERNEL void exp(T* y, const T* x, int64_t n, Stream stream);
KERNEL void log(T* y, const T* x, int64_t n, Stream stream);
KERNEL void sqrt(T* y, const T* x, int64_t n, Stream stream);
// y = log(1 + exp(x)), without overflow
KERNEL void softplus(T* y, const T* x, int64_t n, Stream stream);
KERNEL void clamp(T* y, const T* x, T low, T high, int64_t n, Stream stream);
// dx = dy if low <= x <= high (including the bounds, as in torch), else 0
KERNEL void clamp_grad(T* dx, const T* x, const T* dy, T low, T high, int64_t n, Stream stream);
// y = act(x)
KERNEL void activation(T* y, const T* x, Activation act, int64_t n, Stream stream);
// dx = act'(x) dy. The argument y is act(x), or x if act has `needs_input` (kernels/activation.h). relu and leaky_relu use the
// slope if y <= 0, as in torch
KERNEL void activation_grad(T* dx, const T* y, const T* dy, Activation act, int64_t n, Stream stream);
// y[i,j] = fake[i,j] + weight[i] (real_rows[i,j] - fake[i,j]): the points of a gradient penalty
KERNEL void interpolate(T* y, const T* real_rows, const T* fake, const T* weight, const RowsShape& s, Stream stream);
