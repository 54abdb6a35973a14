// Matrix products. The gradient of each operand is also a matmul.

// c (M,N) = act(op(a) op(b) + bias). bias (N) may be null. If `moments` is not null, it receives the mean and the biased variance
// of each column of c: moments[0..N) and moments[N..2N), for a batch norm that follows.
KERNEL void matmul(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, Activation act,
                   Stream stream);
