#include "engine/autograd/check.h"

namespace gannet {
namespace {

DrawShape draw_shape(const Shape& shape, int64_t first_sample) {
    const int64_t samples = shape.empty() ? 1 : shape[0];
    return {first_sample, samples, samples ? shape.elements() / samples : 0};
}

}  // namespace

Tensor uniform(Shape shape, const RandomSource& source, int64_t first_sample, real low, real high, Device device) {
    Tensor y = Tensor::empty(std::move(shape), device);
    RUN(device, uniform, y.data(), source.counters.for_kernel(), source.key, draw_shape(y.shape(), first_sample), low, high);
    return y;
}

Tensor normal(Shape shape, const RandomSource& source, int64_t first_sample, real mean, real stddev, Device device) {
    Tensor y = Tensor::empty(std::move(shape), device);
    RUN(device, normal, y.data(), source.counters.for_kernel(), source.key, draw_shape(y.shape(), first_sample), mean, stddev);
    return y;
}

Tensor dropout(const Tensor& x, const RandomSource& source, const DropoutShape& s, real p) {
    if (x.size() != s.size())
        throw Error("dropout: shape " + x.shape().str() + " is not " + std::to_string(s.samples) + " samples of " +
                    std::to_string(s.spatial) + " x " + std::to_string(s.channels));
    if (!(p >= 0 && p < 1)) throw Error("dropout: p = " + std::to_string(p), "", "use 0 <= p < 1");
    Tensor y = allocate(x.shape(), x.device());
    RUN(x.device(), dropout, y.data(), x.data(), source.counters.for_kernel(), source.key, s, p);
    return record("dropout", y, {x}, [=](const VjpArgs& v) { return Tensors{dropout(v.dout[0], source, s, p)}; });
}

Tensor interpolate(const Tensor& real_images, const Tensor& fake, const Tensor& weight) {
    check_fit(real_images.shape() == fake.shape() && !fake.shape().empty(), "interpolate", real_images, fake);
    check_fit(weight.size() == fake.dim(0), "interpolate", fake, weight, "one weight per sample");
    Tensor y = Tensor::empty(fake.shape(), fake.device());
    const RowsShape s{fake.dim(0), fake.dim(0) ? fake.size() / fake.dim(0) : 0};
    RUN(fake.device(), interpolate, y.data(), real_images.data(), fake.data(), weight.data(), s);
    return y;
}

}  // namespace gannet
