#include "engine/autograd/check.h"

namespace gannet {

Tensor sum_rows(const Tensor& x, const RowsShape& s, const Tensor& into) {
    check_rows("sum_rows", x, s);
    Tensor y = allocate({s.cols}, x.device(), into);
    RUN(x.device(), sum_rows, y.data(), x.data(), s);
    return record("sum_rows", y, {x}, [s](const VjpArgs& v) { return Tensors{expand_rows(v.dout[0], s, v.in[0].shape())}; });
}

Tensor sum_cols(const Tensor& x, const RowsShape& s) {
    check_rows("sum_cols", x, s);
    Tensor y = allocate({s.rows}, x.device());
    RUN(x.device(), sum_cols, y.data(), x.data(), s);
    return record("sum_cols", y, {x}, [s](const VjpArgs& v) { return Tensors{expand_cols(v.dout[0], s, v.in[0].shape())}; });
}

Tensor expand_rows(const Tensor& v, const RowsShape& s, Shape shape) {
    Tensor y = allocate(shape, v.device());
    if (v.size() != s.cols) check_fit(false, "expand_rows", v, y);
    check_rows("expand_rows", y, s);
    RUN(v.device(), expand_rows, y.data(), v.data(), s);
    return record("expand_rows", y, {v},
                  [s](const VjpArgs& a) { return Tensors{reshape(sum_rows(a.dout[0], s), a.in[0].shape())}; });
}

Tensor expand_cols(const Tensor& v, const RowsShape& s, Shape shape) {
    Tensor y = allocate(shape, v.device());
    if (v.size() != s.rows) check_fit(false, "expand_cols", v, y);
    check_rows("expand_cols", y, s);
    RUN(v.device(), expand_cols, y.data(), v.data(), s);
    return record("expand_cols", y, {v},
                  [s](const VjpArgs& a) { return Tensors{reshape(sum_cols(a.dout[0], s), a.in[0].shape())}; });
}

Tensor sum(const Tensor& x) { return reshape(sum_cols(x, {1, x.size()}), {}); }
Tensor mean(const Tensor& x) { return scale(sum(x), real(1) / real(x.size())); }
Tensor expand(const Tensor& scalar, Shape shape) {
    const RowsShape s{1, shape.elements()};
    return expand_cols(scalar, s, std::move(shape));
}

Tensor row_norm(const Tensor& x, const RowsShape& s) {
    check_rows("row_norm", x, s);
    Tensor y = allocate({s.rows}, x.device());
    RUN(x.device(), row_norm, y.data(), x.data(), s);
    return record("row_norm", y, {x}, [s](const VjpArgs& v) {
        return Tensors{mul(v.in[0], expand_cols(div(v.dout[0], v.out[0]), s, v.in[0].shape()))};
    });
}

}  // namespace gannet
