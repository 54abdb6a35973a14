#include "engine/bench/bytes.h"

namespace gannet::bench {
namespace {

// A network's layers that are no products, for one sample, in values.
struct Sweeps {
    double norm = 0, norm_grad = 0, activation = 0, activation_grad = 0, other = 0;
};

void collect(const Sequence& sequence, Sweeps& s) {
    bool fuses = false, norm_before = false;  // the layer before
    for (const auto& module : sequence.layers) {
        const Module& layer = *module;
        const double in = double(layer.in.size()), out = double(layer.out.size());
        const bool norm = layer.type == "batch_norm" || layer.type == "layer_norm";
        if (norm) {
            s.norm += 2 * out;
            s.norm_grad += 4 * out;
        } else if (layer.act.kind != ActivationKind::none) {
            if (!fuses) s.activation += 2 * out;
            if (!norm_before) s.activation_grad += 3 * out;
        } else if (layer.flops == 0 && layer.children.empty() && layer.type != "reshape") {
            s.other += in + out;
        }
        fuses = norm || layer.flops > 0;
        norm_before = norm;
        for (const Child& child : layer.children) collect(child.layers, s);
    }
}

double optimizer_passes(const config::OptimizerConfig& optimizer) {
    if (optimizer.type == "adam") return 7;  // w, m, v in and out, g in
    return optimizer.type == "sgd" && optimizer.keys.number("momentum") == 0 ? 3 : 5;
}

}  // namespace

StepBytes step_bytes(GanTrainer& trainer) {
    const Network &generator = trainer.generator(), &discriminator = trainer.discriminator();
    const Objective& o = trainer.objective();
    const config::ModelConfig& config = trainer.config();
    const double batch = double(config.batch), d_batches = double(o.critic_steps) * o.discriminator_batches,
                 g_batches = double(o.generator_steps) * o.generator_batches;
    const double taken = !o.reuse_fakes ? 0 : o.generator_first ? o.discriminator_batches : o.generator_batches;
    const double shared = trainer.shares_scores() ? o.discriminator_batches : 0;
    Sweeps g, d;
    collect(generator.layers(), g);
    collect(discriminator.layers(), d);
    // Passes forward and backward. A penalty goes forward, back to its points, and through both again.
    const double again = o.penalty ? d_batches : 0, g_forward = d_batches + g_batches - taken, g_backward = g_batches,
                 d_forward = 2 * d_batches + g_batches + 2 * again - shared, d_backward = 2 * d_batches + g_batches + 2 * again;
    const double image = double(discriminator.in().size());
    StepBytes s;
    const auto weights_of = [](const Module& layer) {
        double weights = 0;
        for (const auto& parameter : layer.parameters) weights += double(parameter.size());
        return layer.flops > 0 ? weights : 0;
    };
    s.products = step_passes(trainer, [=](const Module& layer) {
                     return layer.flops > 0 ? batch * double(layer.in.size() + layer.out.size()) + weights_of(layer) : 0;
                 }).total();
    if (trainer.joins_batches()) {  // forward, back to the data but in the first layer, and to the weights
        const auto& layers = discriminator.layers().layers;
        double all = 0, first = 0;
        for (const auto& layer : layers) {
            if (first == 0) first = weights_of(*layer);
            all += weights_of(*layer);
        }
        s.products -= d_batches * (3 * all - first);
    }
    s.norms = batch * (g_forward * g.norm + d_forward * d.norm + g_backward * g.norm_grad + d_backward * d.norm_grad);
    s.activations = batch * (g_forward * g.activation + d_forward * d.activation + g_backward * g.activation_grad +
                             d_backward * d.activation_grad);
    s.others = batch * ((g_forward + g_backward) * g.other + (d_forward + d_backward) * d.other);
    // Each term of the discriminator's loss but the first has gradients of its own, which are added as a whole.
    const double terms = o.discriminator_batches * ((o.penalty ? 3 : 0) + (trainer.joins_batches() ? 0 : 3));
    s.optimizers =
        double(o.generator_steps) * optimizer_passes(config.generator_optimizer) * double(generator.parameter_count()) +
        double(o.critic_steps) *
            (optimizer_passes(config.discriminator_optimizer) + (o.weight_clip > 0 && o.clip_before ? 2 : 0) + terms) *
            double(discriminator.parameter_count());
    s.data = batch * image * (d_batches * 1.25 + (o.penalty ? 3 + 1 + 2 : 0) * d_batches);
    for (double* values : {&s.products, &s.norms, &s.activations, &s.others, &s.optimizers, &s.data}) *values *= sizeof(real);
    return s;
}

}  // namespace gannet::bench
