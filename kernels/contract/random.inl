// Philox 4x32-10, Salmon et al. 2011. The random number of an element depends only on its counter (philox.h).

// y in (0,1), affinely mapped to (low, high)
KERNEL void uniform(T* y, const Counters* counters, const RandomKey& key, const DrawShape& s, T low, T high, Stream stream);
// normal numbers by Box-Muller, with log and sincos of kernels/math.h
KERNEL void normal(T* y, const Counters* counters, const RandomKey& key, const DrawShape& s, T mean, T stddev, Stream stream);
// y = x * mask / (1 - p), mask = 1 with probability 1 - p, else 0. The mask is not stored: the derivative repeats the same draws.
KERNEL void dropout(T* y, const T* x, const Counters* counters, const RandomKey& key, const DropoutShape& s, T p, Stream stream);
