#include "base/text.h"
#include "engine/autograd/check.h"

namespace gannet {

Tensor identity(const Tensor& x) {
    return record("identity", x.detach(), {x}, [](const VjpArgs& v) { return Tensors{v.dout[0]}; });
}

Tensor reshape(const Tensor& x, Shape shape) {
    return record("reshape", x.view(std::move(shape)), {x},
                  [](const VjpArgs& v) { return Tensors{reshape(v.dout[0], v.in[0].shape())}; });
}

Tensors split_rows(const Tensor& x, const std::vector<int64_t>& rows) {
    Tensors parts;
    int64_t begin = 0;
    for (const int64_t count : rows) {
        parts.push_back(x.rows(begin, count));
        begin += count;
    }
    if (x.shape().empty() || rows.empty() || begin != x.dim(0))
        throw Error("split_rows: " + counted(begin, "row") + " of " + x.shape().str());
    return record("split_rows", parts, {x}, [rows](const VjpArgs& v) {
        Tensors dparts = v.dout;
        for (std::size_t i = 0; i < dparts.size(); ++i) {
            if (dparts[i]) continue;
            Shape shape = v.in[0].shape();
            shape[0] = rows[i];
            dparts[i] = Tensor::full(shape, 0, v.in[0].device());
        }
        return Tensors{concat_rows(dparts)};
    });
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
        RUN(x.device(), copy, part.data(), x.data(), x.size());
        begin += x.dim(0);
    }
    return record("concat_rows", y, xs, [](const VjpArgs& v) {
        std::vector<int64_t> parts;
        for (const Tensor& x : v.in) parts.push_back(x.dim(0));
        return split_rows(v.dout[0], parts);
    });
}

Tensor transpose(const Tensor& x, const TransposeShape& s, Shape shape) {
    if (x.size() != s.size()) throw Error("transpose: " + x.shape().str() + " to " + shape.str());
    Tensor y = Tensor::empty(std::move(shape), x.device());
    RUN(x.device(), transpose, y.data(), x.data(), s);
    return record("transpose", y, {x}, [s](const VjpArgs& v) {
        return Tensors{transpose(v.dout[0], {s.batch, s.cols, s.rows}, v.in[0].shape())};
    });
}

Tensor upsample_nearest(const Tensor& x, int64_t scale) {
    if (x.shape().size() != 4 || scale < 1) throw Error("upsample_nearest: images (N,H,W,C) are needed, not " + x.shape().str());
    const UpsampleShape s{x.dim(0), x.dim(1), x.dim(2), x.dim(3), scale};
    Tensor y = Tensor::empty({s.N, s.H * scale, s.W * scale, s.C}, x.device());
    RUN(x.device(), upsample_nearest, y.data(), x.data(), s);
    return record("upsample_nearest", y, {x},
                  [scale](const VjpArgs& v) { return Tensors{upsample_nearest_grad(v.dout[0], scale)}; });
}

Tensor upsample_nearest_grad(const Tensor& dy, int64_t scale) {
    if (dy.shape().size() != 4 || scale < 1 || dy.dim(1) % scale || dy.dim(2) % scale)
        throw Error("upsample_nearest_grad: " + dy.shape().str() + " by " + std::to_string(scale));
    const UpsampleShape s{dy.dim(0), dy.dim(1) / scale, dy.dim(2) / scale, dy.dim(3), scale};
    Tensor dx = Tensor::empty({s.N, s.H, s.W, s.C}, dy.device());
    RUN(dy.device(), upsample_nearest_grad, dx.data(), dy.data(), s);
    return record("upsample_nearest_grad", dx, {dy},
                  [scale](const VjpArgs& v) { return Tensors{upsample_nearest(v.dout[0], scale)}; });
}

}  // namespace gannet
