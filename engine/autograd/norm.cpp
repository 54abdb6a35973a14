// Batch norm and layer norm. Their backward is also a fused op. Its derivative is that of the composition with respect to the
// original inputs (x, gamma, beta, dy); saved statistics only speed up the first order.
#include "engine/autograd/check.h"

namespace gannet {
namespace {

using Composition = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const RowsShape&, real, Activation);

// gamma (x - mean) / deviation + beta, activated. `xc` is x - mean, `deviation` has x's shape.
Tensor scale_and_shift(const Tensor& xc, const Tensor& deviation, const Tensor& gamma, const Tensor& beta, const RowsShape& s,
                       Activation act) {
    Tensor y = div(xc, deviation);
    if (gamma) y = add(mul(y, expand_rows(gamma, s, y.shape())), expand_rows(beta, s, y.shape()));
    return activation(y, act);
}

void check_affine(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta, const RowsShape& s) {
    check_rows(op, x, s);
    check_fit(bool(gamma) == bool(beta), op, gamma, beta, "gamma and beta come together");
    check_fit(!gamma || (gamma.size() == s.cols && beta.size() == s.cols), op, x, gamma,
              "gamma and beta have one value per column");
}

// Inputs of a normalisation as a list: (x) or (x, gamma, beta).
Tensors inputs_of(const Tensor& x, const Tensor& gamma, const Tensor& beta) {
    return gamma ? Tensors{x, gamma, beta} : Tensors{x};
}

// The arrays that a fused backward writes. Those of gamma and beta are empty without an affine map.
struct Gradients {
    explicit Gradients(const VjpArgs& v) : dx(allocate(v.in[0].shape(), v.in[0].device())) {
        if (v.in.size() < 3) return;
        gamma = v.in[1];
        dgamma = allocate(gamma.shape(), dx.device(), v.into[1]);
        dbeta = allocate(v.in[2].shape(), dx.device(), v.into[2]);
    }
    Tensors outputs() const { return gamma ? Tensors{dx, dgamma, dbeta} : Tensors{dx}; }
    Tensor dx, gamma, dgamma, dbeta;
};

// Outputs {dx[, dgamma, dbeta]} of the fused backward, recorded over (x[, gamma, beta], dy).
Tensors record_grad(const char* op, Tensors outputs, const VjpArgs& v, Composition composition, const RowsShape& s, real eps,
                    Activation act) {
    Tensors inputs = v.in;
    inputs.push_back(v.dout[0]);
    return record(op, std::move(outputs), std::move(inputs), [=](const VjpArgs& a) {
        const auto backward = [=](const Tensors& in) {
            const Tensor absent;
            const bool has_affine = in.size() == 4;
            const Tensor y = composition(in[0], has_affine ? in[1] : absent, has_affine ? in[2] : absent, s, eps, act);
            const Tensors xs(in.begin(), in.end() - 1);
            return grad({y}, xs, {in.back()}, {.create_graph = true, .into = {}});
        };
        return differentiate(backward, a.in, a.dout, a.needs);
    });
}

}  // namespace

Tensor batch_norm_composition(const Tensor& x, const Tensor& gamma, const Tensor& beta, const RowsShape& s, real eps,
                              Activation act) {
    const real r = real(1) / real(s.rows);
    const Tensor xc = sub(x, expand_rows(scale(sum_rows(x, s), r), s, x.shape()));
    const Tensor variance = scale(sum_rows(mul(xc, xc), s), r);
    return scale_and_shift(xc, expand_rows(sqrt(affine(variance, 1, eps)), s, x.shape()), gamma, beta, s, act);
}

Tensor layer_norm_composition(const Tensor& x, const Tensor& gamma, const Tensor& beta, const RowsShape& s, real eps,
                              Activation act) {
    const real r = real(1) / real(s.cols);
    const Tensor xc = sub(x, expand_cols(scale(sum_cols(x, s), r), s, x.shape()));
    const Tensor variance = scale(sum_cols(mul(xc, xc), s), r);
    return scale_and_shift(xc, expand_cols(sqrt(affine(variance, 1, eps)), s, x.shape()), gamma, beta, s, act);
}

Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const RowsShape& s, real eps, Activation act,
                  Tensor* mean_var) {
    check_affine("batch_norm", x, gamma, beta, s);
    if (needs_input(act.kind)) return activation(batch_norm(x, gamma, beta, s, eps, {}, mean_var), act);
    const Device& device = x.device();
    Tensor stats = mean_var && *mean_var ? *mean_var : Tensor();
    if (!stats) {
        stats = Tensor::empty({2, s.cols}, device);
        RUN(device, moments, stats.data(), x.data(), s);
        if (mean_var) *mean_var = stats;
    }
    Tensor y = allocate(x.shape(), device);
    RUN(device, batch_norm, y.data(), x.data(), stats.data(), data_or_null(gamma), data_or_null(beta), s, eps, act);
    return record("batch_norm", y, inputs_of(x, gamma, beta), [=](const VjpArgs& v) {
        const Gradients d(v);
        RUN(device, batch_norm_grad, d.dx.data(), data_or_null(d.dgamma), data_or_null(d.dbeta), v.in[0].data(), v.out[0].data(),
            v.dout[0].data(), stats.data(), data_or_null(d.gamma), s, eps, act);
        return record_grad("batch_norm_grad", d.outputs(), v, batch_norm_composition, s, eps, act);
    });
}

Tensor batch_norm_eval(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running, const RowsShape& s,
                       real eps, Activation act) {
    check_affine("batch_norm_eval", x, gamma, beta, s);
    check_fit(running && running.size() == 2 * s.cols, "batch_norm_eval", x, running, "running statistics are (2, cols)");
    if (needs_input(act.kind)) return activation(batch_norm_eval(x, gamma, beta, running, s, eps), act);
    Tensor y = allocate(x.shape(), x.device());
    RUN(x.device(), batch_norm, y.data(), x.data(), running.data(), data_or_null(gamma), data_or_null(beta), s, eps, act);
    return record("batch_norm_eval", y, inputs_of(x, gamma, beta), [=](const VjpArgs& v) {
        const auto composition = [=](const Tensors& in) {
            const Tensor mean = running.view({2, s.cols}).rows(0, 1), variance = running.view({2, s.cols}).rows(1, 1);
            const Tensor xc = sub(in[0], expand_rows(mean, s, in[0].shape()));
            const Tensor deviation = expand_rows(sqrt(affine(variance, 1, eps)), s, in[0].shape());
            const bool has_affine = in.size() == 3;
            return Tensors{scale_and_shift(xc, deviation, has_affine ? in[1] : Tensor(), has_affine ? in[2] : Tensor(), s, act)};
        };
        return differentiate(composition, v.in, v.dout, v.needs);
    });
}

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const RowsShape& s, real eps, Activation act) {
    check_affine("layer_norm", x, gamma, beta, s);
    if (needs_input(act.kind)) return activation(layer_norm(x, gamma, beta, s, eps), act);
    const Device& device = x.device();
    Tensor y = allocate(x.shape(), device), stats = Tensor::empty({2, s.rows}, device);
    RUN(device, layer_norm, y.data(), stats.data(), x.data(), data_or_null(gamma), data_or_null(beta), s, eps, act);
    return record("layer_norm", y, inputs_of(x, gamma, beta), [=](const VjpArgs& v) {
        const Gradients d(v);
        RUN(device, layer_norm_grad, d.dx.data(), data_or_null(d.dgamma), data_or_null(d.dbeta), v.in[0].data(), v.out[0].data(),
            v.dout[0].data(), stats.data(), data_or_null(d.gamma), s, act);
        return record_grad("layer_norm_grad", d.outputs(), v, layer_norm_composition, s, eps, act);
    });
}

}  // namespace gannet
