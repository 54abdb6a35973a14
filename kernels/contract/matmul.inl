// Matrix products. Derivatives: each operand's gradient is again a matmul.

// c (M,N) = act(op(a) op(b) + bias). bias (N) may be null. If `moments` is not null it receives per column of c the mean
// and the biased variance: moments[0..N) and moments[N..2N), for a batch norm that follows.
KERNEL void matmul(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, Activation act,
                   Stream stream);
