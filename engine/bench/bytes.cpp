#include "engine/bench/bytes.h"

namespace gannet::bench {
namespace {

// Adds, by family, the values that a network's modules other than linear layers and convolutions move per sample. An activation
// fused into a linear layer or a convolution moves nothing in the forward pass unless it needs its input. An activation fused
// into a norm moves nothing at all.
void add(const Sequence& sequence, double forward, double backward, StepBytes& s) {
    for (const Sequence::Step& step : sequence.plan) {
        const Module& module = *sequence.layers[step.layer];
        const Description d = module.describe();
        const Family family = module.traits.family;
        double& values = family == Family::norm ? s.norms : family == Family::activation ? s.activations : s.others;
        if (family != Family::product) values += forward * d.forward_values + backward * d.backward_values;
        if (step.activation >= 0 && family == Family::product) {
            const Module& activation = *sequence.layers[std::size_t(step.activation)];
            const double times = needs_input(activation.act.kind) ? forward : 0;
            s.activations += times * activation.describe().forward_values + backward * activation.describe().backward_values;
        }
        for (const Child& child : module.children) add(child.layers, forward, backward, s);
    }
}

double weights_of(const Module& module) {
    double weights = 0;
    for (const Variable& parameter : module.parameters) weights += double(parameter.size());
    return weights;
}

}  // namespace

StepBytes step_bytes(GanTrainer& trainer) {
    const Network &generator = trainer.generator(), &discriminator = trainer.discriminator();
    const Objective& o = trainer.objective();
    const Batches b = batches_of(trainer.usual_plan());
    const auto batch = double(trainer.config().batch);
    StepBytes s;
    // A penalty needs a forward pass, a backward pass to its points, and the backward pass of both.
    add(generator.layers(), batch * b.generated, batch * b.of_g, s);
    add(discriminator.layers(), batch * (b.scored + 2 * b.penalised), batch * (2 * b.of_d + b.of_g + 2 * b.penalised), s);
    s.products = step_passes(trainer, [=](const Module& module) {
                     const bool product = module.traits.family == Family::product;
                     return product ? batch * module.describe().forward_values + weights_of(module) : 0;
                 }).total();
    if (b.joined > 0) {  // forward, data gradients except of the first layer, weight gradients
        double all = 0, first = 0;
        for_each_module(discriminator.layers(), [&](const Module& module) {
            const double weights = module.traits.family == Family::product ? weights_of(module) : 0;
            if (first == 0) first = weights;
            all += weights;
        });
        s.products -= b.joined * (3 * all - first);
    }
    // Each term of the discriminator's loss after the first has a separate gradient buffer, which is then added.
    const double terms = 3 * (b.penalised + b.of_d - b.joined + (o.discriminator_batches - 1) * o.critic_steps);
    const std::vector<Trainer::Part> parts = trainer.parts();
    s.optimizers = double(o.generator_steps) * parts[0].optimizer.words() * double(generator.parameter_count()) +
                   (double(o.critic_steps) * parts[1].optimizer.words() + terms) * double(discriminator.parameter_count());
    s.data = batch * double(discriminator.in().size()) * (1.25 * b.of_d + (3 + 1 + 2) * b.penalised);
    for (double* values : {&s.products, &s.norms, &s.activations, &s.others, &s.optimizers, &s.data}) *values *= sizeof(real);
    return s;
}

}  // namespace gannet::bench
