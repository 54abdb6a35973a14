// Objective and optimizers.
#include "engine/config/keys.h"
#include "engine/model/objective.h"
#include "engine/model/sections.h"
#include "engine/nn/spec.h"

namespace gannet::config {
namespace {

std::vector<std::string> names_of_losses() {
    std::vector<std::string> names;
    for (const LossInfo& loss : losses()) names.emplace_back(loss.name);
    return names;
}

std::string docs_of_losses() {
    std::string docs;
    for (const LossInfo& loss : losses()) docs += (docs.empty() ? "`" : "; `") + std::string(loss.name) + "`: " + loss.doc;
    return docs;
}

}  // namespace

const ObjectSpec penalty_spec = {
    "objective.gradient_penalty",
    "Holds the norm of the discriminator's gradient near `target` at points between real and fake images, "
    "`weight * mean((norm - target)^2)` (arXiv 1704.00028). Points are `fake + e (real - fake)` with one `e` from U(0, 1) per "
    "sample.",
    {
        number("weight", 10.0, 0, 1e6, "weight of the penalty, lambda in the paper"),
        word("norm", "sample", {"sample", "channel", "batch"},
             "the norm is taken over each `sample` (the paper), over the `channel`s of each pixel, or over the whole `batch`"),
        number("target", 1.0, 0, 1e6, "the target norm"),
    }};

const ObjectSpec warm_up_spec = {
    "objective.critic_warm_up",
    "Steps with more updates of the discriminator than `critic_steps`: the first `steps` steps, and every `every`-th step of "
    "the run. The defaults are those of the code of arXiv 1701.07875.",
    {
        integer("critic_steps", 100, 1, 2000, "updates of the discriminator in such a step"),
        integer("steps", 25, 0, 1e12, "number of initial warm-up steps"),
        integer("every", 500, 0, 1e12, "also every N-th step (step % N == 0); 0: never"),
    }};

const ObjectSpec accumulate_spec = {
    "objective.accumulate",
    "Number of batches whose gradients are accumulated for one update.",
    {
        integer("discriminator", 1, 1, 10000, "batches per update of the discriminator"),
        integer("generator", 1, 1, 10000, "batches per update of the generator"),
        word("reduction", "sum", {"sum", "mean"}, "use the `sum` or the `mean` of the batches' gradients"),
    }};

const ObjectSpec objective_spec = {
    "objective",
    "The two losses, and the schedule: a step is `critic_steps` updates of the discriminator and `generator_steps` of the "
    "generator.",
    {
        required(word("loss", {}, names_of_losses(), docs_of_losses().c_str())),
        word("generator_loss", "non_saturating", {"non_saturating", "saturating"},
             "`non_saturating` maximises log D(G(z)), `saturating` minimises log(1 - D(G(z))); bce losses only"),
        word("discriminator_loss", "mean", {"mean", "sum"},
             "`mean` or `sum` of the real and the fake part; with `wasserstein` always the sum"),
        below_max(number("bce_epsilon", 0.0, 0, 0.5,
                         "0: logarithms are clamped at -100, as in PyTorch; above 0: probabilities are clamped to this "
                         "distance from 0 and 1, as in Keras (1e-7); `bce` only")),
        number("real_label", 1.0, -1e3, 1e3, "label of real images; bce losses and `least_squares`"),
        number("fake_label", 0.0, -1e3, 1e3, "label of fake images; bce losses and `least_squares`"),
        integer("critic_steps", 1, 1, 2000, "updates of the discriminator per step"),
        integer("generator_steps", 1, 1, 2000, "updates of the generator per step"),
        word("update_order", "discriminator_first", {"discriminator_first", "generator_first"},
             "the network that is updated first in a step"),
        word("fakes", "fresh", {"fresh", "reuse"},
             "`fresh`: every update generates new fake images; `reuse`: the network updated second reuses the fakes of "
             "the first network's last update (or of all its updates, if the total number of batches matches)"),
        section("accumulate", accumulate_spec, "several batches per update"),
        object("gradient_penalty", &penalty_spec, "on the discriminator"),
        above_min(number("weight_clip", {}, 0, 1e6,
                         "all parameters of the discriminator, including batch norm, are clamped to [-c, c], c the value (arXiv "
                         "1701.07875)")),
        word("clip_when", "after", {"after", "before"},
             "clip `after` each update of the discriminator, or `before` it, as in the paper's code"),
        object("critic_warm_up", &warm_up_spec, "more updates of the discriminator in some steps"),
    }};

const ObjectSpec overrides_spec = {"optimizer",
                                   "The keys of its `type`, and overrides for one network. An override of `type` starts from "
                                   "that type's defaults; only `lr` is kept.",
                                   {
                                       required(word("type", {}, names_of(optimizer_kinds()), "the update rule")),
                                       object("generator", nullptr, "overrides for the generator"),
                                       object("discriminator", nullptr, "overrides for the discriminator"),
                                   }};

}  // namespace gannet::config
