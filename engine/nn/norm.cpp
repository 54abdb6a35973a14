#include "engine/nn/registry.h"

namespace gannet {

using config::Key;
using config::Kind;

namespace {

struct Affine {
    std::shared_ptr<Parameter> gamma, beta;
    Tensor weight() const { return gamma ? gamma->value : Tensor(); }
    Tensor bias() const { return beta ? beta->value : Tensor(); }
};

Affine add_affine(Layer& layer, const config::LayerConfig& config, Shape shape, Shape torch_shape, TransposeShape layout,
                  double gamma_std) {
    Affine affine;
    if (!config.keys.boolean("affine")) return affine;
    const Init one = gamma_std > 0 ? Init{Init::Kind::normal, 1, gamma_std} : Init{Init::Kind::constant, 1, 0};
    affine.gamma = add_parameter(layer, "weight", shape, torch_shape, layout, one);
    affine.beta = add_parameter(layer, "bias", shape, torch_shape, layout, {});
    return affine;
}

void build_batch_norm(Layer& layer, const config::LayerConfig& config, BuildContext& context) {
    const int64_t C = layer.in.C;
    const real eps = real(config.keys.number("eps")), momentum = real(config.keys.number("momentum"));
    const Affine affine = add_affine(layer, config, {C}, {C}, {1, 1, C}, context.options.init.number("gamma_std"));
    auto running = std::make_shared<Statistic>();
    running->mean_name = layer.name + ".running_mean";
    running->var_name = layer.name + ".running_var";
    running->cols = C;
    layer.statistics.push_back(running);
    layer.forward = [=](const Tensor& x, const Context& pass, const Fused& fused) {
        const RowsShape s{x.size() / C, C};
        if (!pass.training) return batch_norm_eval(x, affine.weight(), affine.bias(), running->value, s, eps, fused.act);
        Tensor moments = fused.moments_in;
        const Tensor y = batch_norm(x, affine.weight(), affine.bias(), s, eps, fused.act, &moments);
        if (pass.update_statistics) pass.updates->push_back({{running->value.data(), moments.data(), s, momentum}, moments});
        return y;
    };
}

void build_layer_norm(Layer& layer, const config::LayerConfig& config, BuildContext&) {
    const SampleShape in = layer.in;
    const real eps = real(config.keys.number("eps"));
    const Shape torch_shape = in.vector ? Shape{in.C} : Shape{in.C, in.H, in.W};
    const Affine affine = add_affine(layer, config, {in.size()}, torch_shape, {1, in.H * in.W, in.C}, 0);
    layer.forward = [=](const Tensor& x, const Context&, const Fused& fused) {
        return layer_norm(x, affine.weight(), affine.bias(), {x.dim(0), in.size()}, eps, fused.act);
    };
}

Key eps_key() { return {.name = "eps", .kind = Kind::number, .doc = "added to the variance", .otherwise = 1e-5, .min = 0}; }
Key affine_key() { return {.name = "affine", .kind = Kind::boolean, .doc = "learns a scale and a shift", .otherwise = true}; }

}  // namespace

LayerKind batch_norm_layer() {
    return {
        {"batch_norm",
         "Brings each channel to mean 0 and variance 1 over the batch (arXiv 1502.03167).",
         {eps_key(),
          {.name = "momentum",
           .kind = Kind::number,
           .doc = "of the running statistics, `running = (1 - momentum) running + momentum batch` (Keras counts the other way)",
           .otherwise = 0.1,
           .min = 0,
           .max = 1},
          affine_key()}},
        build_batch_norm};
}

LayerKind layer_norm_layer() {
    return {{"layer_norm",
             "Brings each sample to mean 0 and variance 1 over all its values (arXiv 1607.06450). Fit for critics under a "
             "gradient penalty.",
             {eps_key(), affine_key()}},
            build_layer_norm};
}

}  // namespace gannet
