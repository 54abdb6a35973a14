// Scalar losses. A fused backward's own derivative is that of the composition, over (scores, dout).
#include "engine/ops/check.h"

namespace gannet {
namespace {

// The derivative of the fused backward of y = composition(x): inputs (x, dout).
template <class F>
Vjp grad_of(F composition) {
    return [composition](const VjpArgs& a) {
        const auto backward = [composition](const Tensors& in) {
            return grad({composition(in[0])}, {in[0]}, {in[1]}, {.create_graph = true, .into = {}});
        };
        return differentiate(backward, a.in, a.dout, a.needs);
    };
}

}  // namespace

Tensor loss_composition(const Tensor& x, const LossForm& form) {
    const real t = form.target;
    switch (form.kind) {
        case LossKind::bce: {
            const Tensor p = form.epsilon > 0 ? clamp(x, form.epsilon, 1 - form.epsilon) : x;
            const auto floored = [&](const Tensor& q) { return form.epsilon > 0 ? log(q) : clamp(log(q), -100, 0); };
            return mean(add(scale(floored(p), -t), scale(floored(affine(p, -1, 1)), t - 1)));
        }
        case LossKind::bce_with_logits: return mean(sub(softplus(x), scale(x, t)));
        case LossKind::least_squares: {
            const Tensor d = affine(x, 1, -t);
            return mean(mul(d, d));
        }
        case LossKind::hinge: return mean(activation(affine(x, -t, 1), {ActivationKind::relu, 0}));
        case LossKind::linear: return scale(mean(x), t);
    }
    return {};
}

Tensor loss(const Tensor& x, const LossForm& form) {
    if (x.size() == 0) throw Error("loss: no scores in shape " + x.shape().str());
    Tensor y = Tensor::empty({}, x.device());
    RUN(x.device(), loss(y.data(), x.data(), form, x.size(), x.device().stream()));
    return record("loss", y, {x}, [form](const VjpArgs& v) {
        const Tensor &in = v.in[0], &dout = v.dout[0];
        Tensor dx = allocate(in.shape(), in.device());
        RUN(in.device(),
            loss_grad(dx.data(), in.data(), static_cast<const real*>(dout.data()), form, in.size(), in.device().stream()));
        return Tensors{
            record("loss_grad", dx, {in, dout}, grad_of([form](const Tensor& s) { return loss_composition(s, form); }))};
    });
}

Tensor gradient_penalty_composition(const Tensor& x, const RowsShape& s, real target) {
    const Tensor distance = affine(row_norm(x, s), 1, -target);
    return mean(mul(distance, distance));
}

Tensor gradient_penalty(const Tensor& x, const RowsShape& s, real target) {
    check_rows("gradient_penalty", x, s);
    const Device device = x.device();
    Tensor y = Tensor::empty({}, device), norms = Tensor::empty({s.rows}, device);
    RUN(device, gradient_penalty(y.data(), norms.data(), x.data(), target, s, device.stream()));
    return record("gradient_penalty", y, {x}, [=](const VjpArgs& v) {
        const Tensor &in = v.in[0], &dout = v.dout[0];
        Tensor dx = allocate(in.shape(), device);
        RUN(device, gradient_penalty_grad(dx.data(), in.data(), static_cast<const real*>(norms.data()),
                                          static_cast<const real*>(dout.data()), target, s, device.stream()));
        return Tensors{record("gradient_penalty_grad", dx, {in, dout},
                              grad_of([=](const Tensor& g) { return gradient_penalty_composition(g, s, target); }))};
    });
}

}  // namespace gannet
