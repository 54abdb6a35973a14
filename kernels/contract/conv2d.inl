// Convolutions. conv2d, conv2d_dgrad and conv2d_wgrad are each other's derivatives; conv_transpose2d is conv2d_dgrad.
// x (N,H,W,C), w (OC,R,S,C), y and dy (N,P,Q,OC).

// y[n,p,q,o] = act(bias[o] + sum_{r,s,c} x[n, p*stride - padding + r, q*stride - padding + s, c] w[o,r,s,c]).
// bias (OC) and moments (2*OC: mean, biased variance per channel of y) may be null.
KERNEL void conv2d(T* y, real* moments, const T* x, const T* w, const T* bias, const ConvShape& s, Activation act, Stream stream);

// dx = act(adjoint of conv2d in x, applied to dy, + bias). bias (C) and moments (2*C) may be null.
// Rows or columns of dx that no output depends on (H > (P-1)*stride - 2*padding + R, by less than stride) get act(bias).
KERNEL void conv2d_dgrad(T* dx, real* moments, const T* dy, const T* w, const T* bias, const ConvShape& s, Activation act,
                         Stream stream);

// dw[o,r,s,c] = sum_{n,p,q} dy[n,p,q,o] x[n, p*stride - padding + r, q*stride - padding + s, c].
KERNEL void conv2d_wgrad(T* dw, const T* x, const T* dy, const ConvShape& s, Stream stream);
