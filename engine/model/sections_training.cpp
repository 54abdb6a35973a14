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

const ObjectSpec& penalty_spec() {
    static const ObjectSpec spec = {
        "objective.gradient_penalty",
        "Holds the norm of the discriminator's gradient near `target` at points between real and fake images, "
        "`weight * mean((norm - target)^2)` (arXiv 1704.00028). Points are `fake + e (real - fake)` with one `e` from U(0, 1) a "
        "sample.",
        {
            number("weight", 10.0, 0, 1e6, "factor of the penalty, lambda in the paper"),
            word("norm", "sample", {"sample", "channel", "batch"},
                 "what one norm runs over: a `sample` (the paper), the `channel`s of each pixel, or the whole `batch`"),
            number("target", 1.0, 0, 1e6, "the norm aimed at"),
        }};
    return spec;
}

const ObjectSpec& warm_up_spec() {
    static const ObjectSpec spec = {
        "objective.critic_warm_up",
        "Steps with more updates of the discriminator than `critic_steps`: the first `steps` steps, and every `every`-th step of "
        "the run. The defaults are those of the code of arXiv 1701.07875.",
        {
            integer("critic_steps", 100, 1, 2000, "updates of the discriminator in such a step"),
            integer("steps", 25, 0, 1e12, "number of initial warm-up steps"),
            integer("every", 500, 0, 1e12, "and each whose number, from 0, is a multiple of this; 0: no others"),
        }};
    return spec;
}

const ObjectSpec& accumulate_spec() {
    static const ObjectSpec spec = {
        "objective.accumulate",
        "Batches whose gradients are put together before an update.",
        {
            integer("discriminator", 1, 1, 10000, "batches an update of the discriminator"),
            integer("generator", 1, 1, 10000, "batches an update of the generator"),
            word("reduction", "sum", {"sum", "mean"}, "`sum` of the batches' gradients, or their `mean`"),
        }};
    return spec;
}

const ObjectSpec& objective_spec() {
    static const ObjectSpec spec = {
        "objective",
        "The two losses, and the schedule: a step is `critic_steps` updates of the discriminator and `generator_steps` of the "
        "generator.",
        {
            {.name = "loss", .kind = Kind::text, .doc = docs_of_losses(), .required = true, .choices = names_of_losses()},
            word("generator_loss", "non_saturating", {"non_saturating", "saturating"},
                 "`non_saturating` maximises log D(G(z)), `saturating` minimises log(1 - D(G(z))); bce losses only"),
            word("discriminator_loss", "mean", {"mean", "sum"},
                 "`mean` or `sum` of its real and its fake part; with `wasserstein` always the sum"),
            {.name = "bce_epsilon",
             .kind = Kind::number,
             .doc = "0: logarithms stop at -100, as in PyTorch; above: probabilities stop this far from 0 and 1, as in Keras "
                    "(1e-7); `bce` only",
             .otherwise = 0.0,
             .min = 0,
             .max = 0.5,
             .below_max = true},
            number("real_label", 1.0, -1e3, 1e3, "of real images; bce losses and `least_squares`"),
            number("fake_label", 0.0, -1e3, 1e3, "of fake images; bce losses and `least_squares`"),
            integer("critic_steps", 1, 1, 2000, "updates of the discriminator a step"),
            integer("generator_steps", 1, 1, 2000, "updates of the generator a step"),
            word("update_order", "discriminator_first", {"discriminator_first", "generator_first"}, "who begins a step"),
            word("fakes", "fresh", {"fresh", "reuse"},
                 "`reuse`: the network that comes second in a step begins with the fake images of the first one's last update, "
                 "or of all its updates where it accumulates as many batches as those have together"),
            section("accumulate", accumulate_spec(), "several batches an update"),
            {.name = "gradient_penalty", .kind = Kind::object, .doc = "on the discriminator", .object = &penalty_spec()},
            {.name = "weight_clip",
             .kind = Kind::number,
             .doc =
                 "all of the discriminator's parameters are clamped to [-this, this] (arXiv 1701.07875), those of batch norm too",
             .min = 0,
             .max = 1e6,
             .above_min = true},
            word("clip_when", "after", {"after", "before"},
                 "`weight_clip` comes `after` each update of the discriminator, or `before` it, as in the paper's own code"),
            {.name = "critic_warm_up",
             .kind = Kind::object,
             .doc = "more updates of the discriminator in some steps",
             .object = &warm_up_spec()},
        }};
    return spec;
}

const ObjectSpec& overrides_spec() {
    static const ObjectSpec spec = {
        "optimizer",
        "The keys of its `type`, and what is different for one network. An override of `type` begins with that type's defaults; "
        "only `lr` stays.",
        {
            {.name = "type", .kind = Kind::text, .doc = "the rule of the update", .required = true, .choices = optimizer_names()},
            {.name = "generator", .kind = Kind::object, .doc = "keys that override for the generator"},
            {.name = "discriminator", .kind = Kind::object, .doc = "keys that override for the discriminator"},
        }};
    return spec;
}

}  // namespace gannet::config
