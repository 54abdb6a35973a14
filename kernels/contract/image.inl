// Images: layout, size, and conversion from bytes to a batch.

// y[b,j,i] = x[b,i,j]
KERNEL void transpose(T* y, const T* x, const TransposeShape& s, Stream stream);
// nearest-neighbour upsampling, and its gradient (sums of scale x scale blocks)
KERNEL void upsample_nearest(T* y, const T* x, const UpsampleShape& s, Stream stream);
KERNEL void upsample_nearest_grad(T* dx, const T* dy, const UpsampleShape& s, Stream stream);
// y (batch, per_image) = bytes of the shuffled images * scale + offset
KERNEL void gather_images(T* y, const uint8_t* images, const Counters* counters, const GatherShape& s, Stream stream);
