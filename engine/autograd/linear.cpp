// The linear family: matmul, and conv2d / conv2d_dgrad / conv2d_wgrad, with bias and activation if the op is a layer.
#include "engine/autograd/check.h"

namespace gannet {
namespace {

void check_bias(const char* op, const Tensor& y, const Tensor& bias, int64_t channels) {
    check_fit(!bias || bias.size() == channels, op, y, bias, "the bias has one value per output channel");
}

// Runs product(y, moments, act), the kernel of a layer whose output has `shape`, and records the layer with the output y. An
// activation that needs its input z follows as a kernel of its own; z is then a second output.
template <class Product>
Tensor record_layer(const char* op, const Shape& shape, Tensors inputs, Activation act, Tensor* moments, const Product& product,
                    Vjp vjp) {
    const Device device = inputs[0].device();
    const int64_t channels = shape.back();
    Tensor y = Tensor::empty(shape, device);
    if (moments) *moments = Tensor::empty({2, channels}, device);
    real* const mean_var = moments ? moments->data() : nullptr;
    if (!needs_input(act.kind)) {
        product(y.data(), mean_var, act);
        return record(op, y, std::move(inputs), std::move(vjp));
    }
    Tensor z = Tensor::empty(shape, device);
    product(z.data(), nullptr, Activation{});
    RUN(device, activation, y.data(), z.data(), act, y.size());
    if (moments) RUN(device, moments, mean_var, y.data(), {y.size() / channels, channels});
    return record(op, Tensors{y, z}, std::move(inputs), std::move(vjp), true)[0];
}

// The gradient before bias and activation, and the gradient of the bias: the first part of the three layers' derivatives. Inputs
// are (data, weight[, bias]), outputs (y) or (y, z).
struct EpilogueGrad {
    Tensor dy, dbias;
};
EpilogueGrad epilogue_grad(const VjpArgs& v, Activation act) {
    const Tensor& kept = v.out.back();
    const int64_t channels = kept.dim(-1);
    const RowsShape rows{kept.size() / channels, channels};
    const bool bias = v.in.size() > 2 && v.needs[2];
    const Tensor dz = v.dout.size() > 1 ? v.dout[1] : Tensor();  // where z was differentiated: from second order on
    if (!dz && bias) {
        const Tensors both = bias_activation_grad(kept, v.dout[0], rows, act, v.into[2]);
        return {both[0], both[1]};
    }
    Tensor dy = v.dout[0] ? activation_grad(kept, v.dout[0], act) : dz;
    if (v.dout[0] && dz) dy = add(dy, dz);
    return {dy, bias ? sum_rows(dy, rows, v.into[2]) : Tensor()};
}

Tensors inputs_of(const Tensor& x, const Tensor& w, const Tensor& bias) { return bias ? Tensors{x, w, bias} : Tensors{x, w}; }

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool ta, bool tb, const Tensor& into) {
    check_fit(a.shape().size() == 2 && b.shape().size() == 2 && a.dim(ta ? 0 : 1) == b.dim(tb ? 1 : 0), "matmul", a, b);
    const MatmulShape s{a.dim(ta ? 1 : 0), b.dim(tb ? 0 : 1), a.dim(ta ? 0 : 1), ta, tb};
    Tensor c = allocate({s.M, s.N}, a.device(), into);
    RUN(a.device(), matmul<real>, c.data(), nullptr, a.data(), b.data(), nullptr, s, Activation{});
    return record("matmul", c, {a, b}, [ta, tb](const VjpArgs& v) {
        const Tensor &x = v.in[0], &y = v.in[1], &g = v.dout[0];
        Tensors d(2);
        // the gradient of op(a) is g op(b)^T, that of op(b) is op(a)^T g; a transposed operand gets the transpose
        if (v.needs[0]) d[0] = ta ? matmul(y, g, tb, true, v.into[0]) : matmul(g, y, false, !tb, v.into[0]);
        if (v.needs[1]) d[1] = tb ? matmul(g, x, true, ta, v.into[1]) : matmul(x, g, !ta, false, v.into[1]);
        return d;
    });
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias, Activation act, Tensor* moments) {
    check_fit(x.shape().size() == 2 && w.shape().size() == 2 && x.dim(1) == w.dim(1), "linear", x, w, "x is (M,K), w (N,K)");
    const MatmulShape s{x.dim(0), w.dim(0), x.dim(1), false, true};
    check_bias("linear", x, bias, s.N);
    const auto product = [&](real* y, real* mean_var, Activation a) {
        RUN(x.device(), matmul, y, mean_var, x.data(), w.data(), data_or_null(bias), s, a);
    };
    return record_layer("linear", {s.M, s.N}, inputs_of(x, w, bias), act, moments, product, [act](const VjpArgs& v) {
        const EpilogueGrad e = epilogue_grad(v, act);
        Tensors d(v.in.size());
        if (v.needs[0]) d[0] = matmul(e.dy, v.in[1], false, false, v.into[0]);
        if (v.needs[1]) d[1] = matmul(e.dy, v.in[0], true, false, v.into[1]);
        if (d.size() > 2) d[2] = e.dbias;
        return d;
    });
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvShape& s, Activation act, Tensor* moments) {
    check_fit(x.shape() == Shape{s.N, s.H, s.W, s.C} && w.shape() == Shape{s.OC, s.R, s.S, s.C}, "conv2d", x, w);
    check_bias("conv2d", x, bias, s.OC);
    const auto product = [&](real* y, real* mean_var, Activation a) {
        RUN(x.device(), conv2d, y, mean_var, x.data(), w.data(), data_or_null(bias), s, a);
    };
    return record_layer("conv2d", {s.N, s.P, s.Q, s.OC}, inputs_of(x, w, bias), act, moments, product,
                        [s, act](const VjpArgs& v) {
                            const EpilogueGrad e = epilogue_grad(v, act);
                            Tensors d(v.in.size());
                            if (v.needs[0]) d[0] = conv2d_dgrad(e.dy, v.in[1], {}, s);
                            if (v.needs[1]) d[1] = conv2d_wgrad(v.in[0], e.dy, s, v.into[1]);
                            if (d.size() > 2) d[2] = e.dbias;
                            return d;
                        });
}

Tensor conv2d_dgrad(const Tensor& dy, const Tensor& w, const Tensor& bias, const ConvShape& s, Activation act, Tensor* moments) {
    check_fit(dy.shape() == Shape{s.N, s.P, s.Q, s.OC} && w.shape() == Shape{s.OC, s.R, s.S, s.C}, "conv2d_dgrad", dy, w);
    check_bias("conv2d_dgrad", dy, bias, s.C);
    const auto product = [&](real* dx, real* mean_var, Activation a) {
        RUN(dy.device(), conv2d_dgrad, dx, mean_var, dy.data(), w.data(), data_or_null(bias), s, a);
    };
    return record_layer("conv2d_dgrad", {s.N, s.H, s.W, s.C}, inputs_of(dy, w, bias), act, moments, product,
                        [s, act](const VjpArgs& v) {
                            const EpilogueGrad e = epilogue_grad(v, act);
                            Tensors d(v.in.size());
                            if (v.needs[0]) d[0] = conv2d(e.dy, v.in[1], {}, s);
                            if (v.needs[1]) d[1] = conv2d_wgrad(e.dy, v.in[0], s, v.into[1]);
                            if (d.size() > 2) d[2] = e.dbias;
                            return d;
                        });
}

Tensor conv2d_wgrad(const Tensor& x, const Tensor& dy, const ConvShape& s, const Tensor& into) {
    check_fit(x.shape() == Shape{s.N, s.H, s.W, s.C} && dy.shape() == Shape{s.N, s.P, s.Q, s.OC}, "conv2d_wgrad", x, dy);
    Tensor dw = allocate({s.OC, s.R, s.S, s.C}, x.device(), into);
    RUN(x.device(), conv2d_wgrad, dw.data(), x.data(), dy.data(), s);
    return record("conv2d_wgrad", dw, {x, dy}, [s](const VjpArgs& v) {
        Tensors d(2);
        if (v.needs[0]) d[0] = conv2d_dgrad(v.in[1], v.dout[0], {}, s);
        if (v.needs[1]) d[1] = conv2d(v.in[0], v.dout[0], {}, s);
        return d;
    });
}

}  // namespace gannet
