#include "engine/autograd/check.h"

namespace gannet {
namespace {

// A rule's entry for input i, computed only if it is wanted.
template <class F>
Tensor if_needed(const VjpArgs& v, std::size_t i, F f) {
    return v.needs[i] ? f() : Tensor();
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b, const Tensor& into) {
    check_fit(a.shape() == b.shape(), "add", a, b);
    Tensor y = allocate(a.shape(), a.device(), into);
    RUN(a.device(), add, y.data(), a.data(), b.data(), a.size());
    return record("add", y, {a, b}, [](const VjpArgs& v) { return Tensors{v.dout[0], v.dout[0]}; });
}

Tensor sub(const Tensor& a, const Tensor& b) {
    check_fit(a.shape() == b.shape(), "sub", a, b);
    Tensor y = allocate(a.shape(), a.device());
    RUN(a.device(), sub, y.data(), a.data(), b.data(), a.size());
    return record("sub", y, {a, b}, [](const VjpArgs& v) {
        return Tensors{v.dout[0], if_needed(v, 1, [&] { return scale(v.dout[0], -1); })};
    });
}

Tensor mul(const Tensor& a, const Tensor& b) {
    check_fit(a.shape() == b.shape(), "mul", a, b);
    Tensor y = allocate(a.shape(), a.device());
    RUN(a.device(), mul, y.data(), a.data(), b.data(), a.size());
    return record("mul", y, {a, b}, [](const VjpArgs& v) {
        return Tensors{if_needed(v, 0, [&] { return mul(v.dout[0], v.in[1]); }),
                       if_needed(v, 1, [&] { return mul(v.dout[0], v.in[0]); })};
    });
}

Tensor div(const Tensor& a, const Tensor& b) {
    check_fit(a.shape() == b.shape(), "div", a, b);
    Tensor y = allocate(a.shape(), a.device());
    RUN(a.device(), div, y.data(), a.data(), b.data(), a.size());
    return record("div", y, {a, b}, [](const VjpArgs& v) {
        const Tensor da = div(v.dout[0], v.in[1]);
        return Tensors{da, if_needed(v, 1, [&] { return scale(mul(da, v.out[0]), -1); })};
    });
}

Tensor affine(const Tensor& x, real factor, real offset) {
    Tensor y = allocate(x.shape(), x.device());
    RUN(x.device(), affine, y.data(), x.data(), factor, offset, x.size());
    return record("affine", y, {x}, [factor](const VjpArgs& v) { return Tensors{scale(v.dout[0], factor)}; });
}

Tensor scale(const Tensor& x, real factor) { return affine(x, factor, 0); }

Tensor exp(const Tensor& x) {
    Tensor y = allocate(x.shape(), x.device());
    RUN(x.device(), exp, y.data(), x.data(), x.size());
    return record("exp", y, {x}, [](const VjpArgs& v) { return Tensors{mul(v.dout[0], v.out[0])}; });
}

Tensor log(const Tensor& x) {
    Tensor y = allocate(x.shape(), x.device());
    RUN(x.device(), log, y.data(), x.data(), x.size());
    return record("log", y, {x}, [](const VjpArgs& v) { return Tensors{div(v.dout[0], v.in[0])}; });
}

Tensor sqrt(const Tensor& x) {
    Tensor y = allocate(x.shape(), x.device());
    RUN(x.device(), sqrt, y.data(), x.data(), x.size());
    return record("sqrt", y, {x}, [](const VjpArgs& v) { return Tensors{div(scale(v.dout[0], real(0.5)), v.out[0])}; });
}

Tensor softplus(const Tensor& x) {
    Tensor y = allocate(x.shape(), x.device());
    RUN(x.device(), softplus, y.data(), x.data(), x.size());
    return record("softplus", y, {x}, [](const VjpArgs& v) {
        return Tensors{mul(v.dout[0], activation(v.in[0], {ActivationKind::sigmoid, 0}))};
    });
}

Tensor clamp(const Tensor& x, real low, real high) {
    Tensor y = allocate(x.shape(), x.device());
    RUN(x.device(), clamp, y.data(), x.data(), low, high, x.size());
    return record("clamp", y, {x}, [low, high](const VjpArgs& v) { return Tensors{clamp_grad(v.in[0], v.dout[0], low, high)}; });
}

Tensor clamp_grad(const Tensor& x, const Tensor& dy, real low, real high) {
    check_fit(x.shape() == dy.shape(), "clamp_grad", x, dy);
    Tensor dx = allocate(x.shape(), x.device());
    RUN(x.device(), clamp_grad, dx.data(), x.data(), dy.data(), low, high, x.size());
    return record("clamp_grad", dx, {x, dy}, [low, high](const VjpArgs& v) {  // its derivative in x is zero almost everywhere
        return Tensors{Tensor(), if_needed(v, 1, [&] { return clamp_grad(v.in[0], v.dout[0], low, high); })};
    });
}

Tensor activation(const Tensor& x, Activation act) {
    if (act.kind == ActivationKind::none) return identity(x);
    Tensor y = allocate(x.shape(), x.device());
    RUN(x.device(), activation, y.data(), x.data(), act, x.size());
    return record("activation", y, {x}, [act](const VjpArgs& v) {
        return Tensors{activation_grad(needs_input(act.kind) ? v.in[0] : v.out[0], v.dout[0], act)};
    });
}

// The derivative of activation_grad(kept, dy) with respect to `kept`, times ddx. act'(x) is 1 - y^2 for tanh, y (1 - y) for
// sigmoid.
static Tensor activation_curvature(const Tensor& kept, const Tensor& dy, const Tensor& ddx, Activation act) {
    const Tensor &x = kept, &y = kept;
    switch (act.kind) {
        case ActivationKind::none:
        case ActivationKind::relu:
        case ActivationKind::leaky_relu: return {};  // constant almost everywhere
        case ActivationKind::tanh: return scale(mul(mul(y, dy), ddx), -2);
        case ActivationKind::sigmoid: return mul(mul(affine(y, -2, 1), dy), ddx);
        case ActivationKind::gelu: {  // (2 - x^2) times the density of the standard normal distribution
            const Tensor square = mul(x, x), density = scale(exp(scale(square, real(-0.5))), real(0.398942280401432678));
            return mul(mul(mul(affine(square, -1, 2), density), dy), ddx);
        }
        case ActivationKind::silu: {  // s (1 - s) (2 + x (1 - 2 s)), s = sigmoid(x)
            const Activation sigmoid{ActivationKind::sigmoid, 0};
            const Tensor s = activation(x, sigmoid), factor = affine(mul(x, affine(s, -2, 1)), 1, 2);
            return mul(activation_grad(s, mul(factor, dy), sigmoid), ddx);
        }
    }
    return {};
}

Tensor activation_grad(const Tensor& kept, const Tensor& dy, Activation act) {
    check_fit(kept.shape() == dy.shape(), "activation_grad", kept, dy);
    if (act.kind == ActivationKind::none) return dy;
    Tensor dx = allocate(kept.shape(), kept.device());
    RUN(kept.device(), activation_grad, dx.data(), kept.data(), dy.data(), act, kept.size());
    return record("activation_grad", dx, {kept, dy}, [act](const VjpArgs& v) {
        return Tensors{if_needed(v, 0, [&] { return activation_curvature(v.in[0], v.in[1], v.dout[0], act); }),
                       if_needed(v, 1, [&] { return activation_grad(v.in[0], v.dout[0], act); })};
    });
}

Tensors bias_activation_grad(const Tensor& kept, const Tensor& dy, const RowsShape& s, Activation act, const Tensor& into_bias) {
    check_fit(kept.shape() == dy.shape(), "bias_activation_grad", kept, dy);
    check_rows("bias_activation_grad", kept, s);
    if (act.kind == ActivationKind::none) return {dy, sum_rows(dy, s, into_bias)};
    Tensor dx = allocate(kept.shape(), kept.device()), db = allocate({s.cols}, kept.device(), into_bias);
    RUN(kept.device(), bias_activation_grad, dx.data(), db.data(), kept.data(), dy.data(), s, act);
    return record("bias_activation_grad", Tensors{dx, db}, {kept, dy}, [s, act](const VjpArgs& v) {
        Tensor ddx = v.dout[0];
        if (v.dout[1]) {
            const Tensor spread = expand_rows(v.dout[1], s, v.in[0].shape());
            ddx = ddx ? add(ddx, spread) : spread;
        }
        return Tensors{if_needed(v, 0, [&] { return activation_curvature(v.in[0], v.in[1], ddx, act); }),
                       if_needed(v, 1, [&] { return activation_grad(v.in[0], ddx, act); })};
    });
}

}  // namespace gannet
