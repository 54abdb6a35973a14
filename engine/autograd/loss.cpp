// Scalar losses. The derivative of a fused backward is that of the composition, with respect to (scores, dout).
#include "engine/autograd/check.h"

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
    if (form.weight != 1) {
        LossForm unweighted = form;
        unweighted.weight = 1;
        return scale(loss_composition(x, unweighted), form.weight);
    }
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

Tensor loss(const Tensor& x, const LossForm& form, const Tensor& plus) {
    if (x.size() == 0) throw Error("loss: no scores in shape " + x.shape().str());
    if (plus && plus.size() != 1) throw Error("loss: another loss to add has shape " + plus.shape().str());
    Tensor y = Tensor::empty({}, x.device());
    RUN(x.device(), loss, y.data(), x.data(), data_or_null(plus), form, x.size());
    return record("loss", y, {x, plus}, [form](const VjpArgs& v) {
        const Tensor &in = v.in[0], &dout = v.dout[0];
        if (!v.needs[0]) return Tensors{{}, dout};
        Tensor dx = allocate(in.shape(), in.device());
        RUN(in.device(), loss_grad, dx.data(), in.data(), dout.data(), form, in.size());
        return Tensors{
            record("loss_grad", dx, {in, dout}, grad_of([form](const Tensor& s) { return loss_composition(s, form); })), dout};
    });
}

Tensor joined_loss_composition(const Tensor& x, const LossForm& first, const LossForm& second) {
    const Tensors halves = split_rows(x, {x.dim(0) / 2, x.dim(0) / 2});
    return add(loss_composition(halves[0], first), loss_composition(halves[1], second));
}

Tensor joined_loss(const Tensor& x, const LossForm& first, const LossForm& second) {
    if (x.size() == 0 || x.shape().empty() || x.dim(0) % 2)
        throw Error("joined_loss: no two halves of scores in shape " + x.shape().str());
    const Device& device = x.device();
    const int64_t half = x.size() / 2;
    Tensor y = Tensor::empty({}, device), of_first = Tensor::empty({}, device);
    RUN(device, loss<real>, of_first.data(), x.data(), nullptr, first, half);
    RUN(device, loss, y.data(), x.data() + half, of_first.data(), second, half);
    return record("joined_loss", y, {x}, [=](const VjpArgs& v) {
        const Tensor &in = v.in[0], &dout = v.dout[0];
        Tensor dx = allocate(in.shape(), device);
        RUN(device, loss_grad, dx.data(), in.data(), dout.data(), first, half);
        RUN(device, loss_grad, dx.data() + half, in.data() + half, dout.data(), second, half);
        return Tensors{record("joined_loss_grad", dx, {in, dout},
                              grad_of([=](const Tensor& s) { return joined_loss_composition(s, first, second); }))};
    });
}

Tensor cross_entropy_composition(const Tensor& x, const Tensor& labels) {
    const RowsShape s{x.dim(0), x.dim(1)};
    const std::vector<real> numbers = labels.to_host();
    std::vector<real> chosen(std::size_t(s.size()), 0);  // one-hot
    for (int64_t i = 0; i < s.rows; ++i) chosen[std::size_t(i * s.cols + int64_t(numbers[std::size_t(i)]))] = 1;
    const Tensor score = sum_cols(mul(x, Tensor::from(chosen, x.shape(), x.device())), s);
    return mean(sub(log(sum_cols(exp(x), s)), score));
}

Tensor cross_entropy(const Tensor& x, const Tensor& labels) {
    if (x.shape().size() != 2 || x.dim(1) < 1 || labels.shape() != Shape{x.dim(0)})
        throw Error("cross_entropy: scores " + x.shape().str() + ", labels " + labels.shape().str());
    const RowsShape s{x.dim(0), x.dim(1)};
    const Device& device = x.device();
    Tensor y = Tensor::empty({}, device), log_sums = Tensor::empty({s.rows}, device);
    RUN(device, cross_entropy, y.data(), log_sums.data(), x.data(), labels.data(), s);
    return record("cross_entropy", y, {x}, [=](const VjpArgs& v) {
        const Tensor &in = v.in[0], &dout = v.dout[0];
        Tensor dx = allocate(in.shape(), device);
        RUN(device, cross_entropy_grad, dx.data(), in.data(), labels.data(), log_sums.data(), dout.data(), s);
        return Tensors{record("cross_entropy_grad", dx, {in, dout},
                              grad_of([=](const Tensor& scores) { return cross_entropy_composition(scores, labels); }))};
    });
}

Tensor gradient_penalty_composition(const Tensor& x, const RowsShape& s, real target, real weight) {
    const Tensor distance = affine(row_norm(x, s), 1, -target);
    return scale(mean(mul(distance, distance)), weight);
}

Tensor gradient_penalty(const Tensor& x, const RowsShape& s, real target, real weight) {
    check_rows("gradient_penalty", x, s);
    const Device& device = x.device();
    Tensor y = Tensor::empty({}, device), norms = Tensor::empty({s.rows}, device);
    RUN(device, gradient_penalty, y.data(), norms.data(), x.data(), target, weight, s);
    return record("gradient_penalty", y, {x}, [=](const VjpArgs& v) {
        const Tensor &in = v.in[0], &dout = v.dout[0];
        Tensor dx = allocate(in.shape(), device);
        RUN(device, gradient_penalty_grad, dx.data(), in.data(), norms.data(), dout.data(), target, weight, s);
        return Tensors{record("gradient_penalty_grad", dx, {in, dout},
                              grad_of([=](const Tensor& g) { return gradient_penalty_composition(g, s, target, weight); }))};
    });
}

}  // namespace gannet
