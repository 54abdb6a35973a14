// Losses on n scores; see LossForm.

// out[0] = mean f(x)
KERNEL void loss(T* out, const T* x, const LossForm& form, int64_t n, Stream stream);
// dx = dout[0] / n * f'(x). bce's is (p - t) / max(p (1-p), 1e-12), as torch's; hinge takes 0 at the kink.
KERNEL void loss_grad(T* dx, const T* x, const T* dout, const LossForm& form, int64_t n, Stream stream);
// out[0] = sqrt(sum x^2) over n elements, for the log (gradient norms)
KERNEL void norm2(T* out, const T* x, int64_t n, Stream stream);
