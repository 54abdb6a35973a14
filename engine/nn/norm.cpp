#include "engine/config/keys.h"
#include "engine/nn/registry.h"

namespace gannet {

namespace {

// Scale and shift, parameters 0 and 1, unless `affine` is false.
struct Norm : Module {
    explicit Norm(const Site& site) : Module(site), eps(site.keys().number("eps")) {}
    void add_affine(const Site& site, Shape shape, Shape torch_shape, TransposeShape layout, double gamma_std) {
        if (!site.keys().boolean("affine")) return;
        const Init one = gamma_std > 0 ? Init{Init::Kind::normal, 1, gamma_std} : Init{Init::Kind::constant, 1, 0};
        add_parameter(site, "weight", shape, torch_shape, layout, one);
        add_parameter(site, "bias", shape, torch_shape, layout, {});
    }
    // Computes statistics of the input; this is free if the layer before computes them.
    Description describe() const override {
        const double values = double(out.size());
        return {.attributes = {{"eps", eps}, {"affine", !parameters.empty()}},
                .forward_values = 2 * values,
                .backward_values = 4 * values};
    }
    double eps;
};

struct BatchNorm final : Norm {
    explicit BatchNorm(const Site& site) : Norm(site), momentum(site.keys().number("momentum")) {
        add_affine(site, {in.C}, {in.C}, {1, 1, in.C}, site.context.options.init.gamma_std);
        add_buffer(site, "running_mean", {in.C}, {in.C}, {1, 1, in.C}, {});
        add_buffer(site, "running_var", {in.C}, {in.C}, {1, 1, in.C}, {Init::Kind::constant, 1, 0}, true);
    }
    Tensor forward(const Inputs& inputs, const Pass& pass, const Fused& fused) const override {
        const Tensor& x = inputs.x;
        const RowsShape s{x.size() / in.C, in.C};
        const Tensor gamma = parameter(pass, 0), beta = parameter(pass, 1),
                     running = pass.buffers->rows(buffers[0].offset, 2 * in.C).view({2, in.C});
        if (!pass.training) return batch_norm_eval(x, gamma, beta, running, s, real(eps), fused.act);
        Tensor moments = fused.moments_in;
        const Tensor y = batch_norm(x, gamma, beta, s, real(eps), fused.act, &moments);
        if (pass.update_buffers)
            pass.updates->push_back({running, moments, RunningStats{running.data(), moments.data(), s, real(momentum)}});
        return y;
    }
    Description describe() const override {
        Description d = Norm::describe();
        d.attributes.emplace_back("momentum", momentum);
        return d;
    }
    double momentum;
};

struct LayerNorm final : Norm {
    explicit LayerNorm(const Site& site) : Norm(site) {
        add_affine(site, {in.size()}, in.torch_shape(), {1, in.H * in.W, in.C}, 0);
    }
    Tensor forward(const Inputs& inputs, const Pass& pass, const Fused& fused) const override {
        const Tensor& x = inputs.x;
        return layer_norm(x, parameter(pass, 0), parameter(pass, 1), {x.dim(0), in.size()}, real(eps), fused.act);
    }
};

config::Key eps_key() { return config::number("eps", 1e-5, 0, config::no_limit, "added to the variance"); }
config::Key affine_key() { return config::boolean("affine", true, "learn a scale and a shift"); }

}  // namespace

std::vector<LayerKind> norm_layers() {
    return {
        {{"batch_norm",
          "Normalises each channel to mean 0 and variance 1 over the batch (arXiv 1502.03167).",
          {eps_key(),
           config::number("momentum", 0.1, 0, 1,
                          "momentum of the running statistics, `running = (1 - momentum) running + momentum batch` (Keras "
                          "uses 1 - momentum)"),
           affine_key()}},
         {.family = Family::norm, .linear = true, .curved = true, .couples_samples = true},
         make_module<BatchNorm>},
        {{"layer_norm",
          "Normalises each sample to mean 0 and variance 1 over all its values (arXiv 1607.06450). Suitable for critics with "
          "a gradient penalty.",
          {eps_key(), affine_key()}},
         {.family = Family::norm, .curved = true},
         make_module<LayerNorm>},
    };
}

}  // namespace gannet
