#include "engine/ops/check.h"

namespace gannet {

Tensor identity(const Tensor& x) {
    return record("identity", x.detach(), {x}, [](const VjpArgs& v) { return Tensors{v.dout[0]}; });
}

Tensor reshape(const Tensor& x, Shape shape) {
    return record("reshape", x.view(std::move(shape)), {x},
                  [](const VjpArgs& v) { return Tensors{reshape(v.dout[0], v.in[0].shape())}; });
}

Tensor narrow(const Tensor& x, int64_t begin, int64_t rows) {
    return record("narrow", x.rows(begin, rows), {x},
                  [begin](const VjpArgs& v) { return Tensors{pad_rows(v.dout[0], begin, v.in[0].dim(0))}; });
}

Tensor pad_rows(const Tensor& x, int64_t begin, int64_t rows) {
    if (x.shape().empty() || begin < 0 || begin + x.dim(0) > rows)
        throw Error("pad_rows: " + x.shape().str() + " at " + std::to_string(begin) + " of " + std::to_string(rows) + " rows");
    Shape shape = x.shape();
    shape[0] = rows;
    Tensor y = Tensor::empty(shape, x.device());
    const int64_t after = begin + x.dim(0);
    const Device device = x.device();
    Tensor head = y.rows(0, begin), body = y.rows(begin, x.dim(0)), tail = y.rows(after, rows - after);
    RUN(device, fill(head.data(), real(0), head.size(), device.stream()));
    RUN(device, copy(body.data(), x.data(), x.size(), device.stream()));
    RUN(device, fill(tail.data(), real(0), tail.size(), device.stream()));
    return record("pad_rows", y, {x}, [begin](const VjpArgs& v) { return Tensors{narrow(v.dout[0], begin, v.in[0].dim(0))}; });
}

Tensor concat_rows(const Tensors& xs) {
    if (xs.empty()) throw Error("concat_rows: nothing to join");
    int64_t rows = 0;
    for (const Tensor& x : xs) {
        Shape a = x.shape(), b = xs[0].shape();
        if (!a.empty() && !b.empty()) a[0] = b[0] = 0;
        check_fit(!a.empty() && a == b, "concat_rows", x, xs[0]);
        rows += x.dim(0);
    }
    Shape shape = xs[0].shape();
    shape[0] = rows;
    Tensor y = Tensor::empty(shape, xs[0].device());
    int64_t begin = 0;
    for (const Tensor& x : xs) {
        Tensor part = y.rows(begin, x.dim(0));
        RUN(x.device(), copy(part.data(), x.data(), x.size(), x.device().stream()));
        begin += x.dim(0);
    }
    return record("concat_rows", y, xs, [](const VjpArgs& v) {
        Tensors dx;
        int64_t at = 0;
        for (std::size_t i = 0; i < v.in.size(); at += v.in[i].dim(0), ++i)
            dx.push_back(v.needs[i] ? narrow(v.dout[0], at, v.in[i].dim(0)) : Tensor());
        return dx;
    });
}

Tensor transpose(const Tensor& x, const TransposeShape& s, Shape shape) {
    if (x.size() != s.size()) throw Error("transpose: " + x.shape().str() + " to " + shape.str());
    Tensor y = Tensor::empty(std::move(shape), x.device());
    RUN(x.device(), transpose(y.data(), x.data(), s, x.device().stream()));
    return record("transpose", y, {x}, [s](const VjpArgs& v) {
        return Tensors{transpose(v.dout[0], {s.batch, s.cols, s.rows}, v.in[0].shape())};
    });
}

Tensor upsample_nearest(const Tensor& x, int64_t scale) {
    if (x.shape().size() != 4 || scale < 1) throw Error("upsample_nearest: images (N,H,W,C) are needed, not " + x.shape().str());
    const UpsampleShape s{x.dim(0), x.dim(1), x.dim(2), x.dim(3), scale};
    Tensor y = Tensor::empty({s.N, s.H * scale, s.W * scale, s.C}, x.device());
    RUN(x.device(), upsample_nearest(y.data(), x.data(), s, x.device().stream()));
    return record("upsample_nearest", y, {x},
                  [scale](const VjpArgs& v) { return Tensors{upsample_nearest_grad(v.dout[0], scale)}; });
}

Tensor upsample_nearest_grad(const Tensor& dy, int64_t scale) {
    if (dy.shape().size() != 4 || scale < 1 || dy.dim(1) % scale || dy.dim(2) % scale)
        throw Error("upsample_nearest_grad: " + dy.shape().str() + " by " + std::to_string(scale));
    const UpsampleShape s{dy.dim(0), dy.dim(1) / scale, dy.dim(2) / scale, dy.dim(3), scale};
    Tensor dx = Tensor::empty({s.N, s.H, s.W, s.C}, dy.device());
    RUN(dy.device(), upsample_nearest_grad(dx.data(), dy.data(), s, dy.device().stream()));
    return record("upsample_nearest_grad", dx, {dy},
                  [scale](const VjpArgs& v) { return Tensors{upsample_nearest(v.dout[0], scale)}; });
}

}  // namespace gannet
