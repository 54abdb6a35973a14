// Objective and optimizers.
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
            {.name = "weight",
             .kind = Kind::number,
             .doc = "factor of the penalty, lambda in the paper",
             .otherwise = 10.0,
             .min = 0,
             .max = 1e6},
            {.name = "norm",
             .kind = Kind::text,
             .doc = "what one norm runs over: a `sample` (the paper), the `channel`s of each pixel, or the whole `batch`",
             .otherwise = "sample",
             .choices = {"sample", "channel", "batch"}},
            {.name = "target", .kind = Kind::number, .doc = "the norm aimed at", .otherwise = 1.0, .min = 0, .max = 1e6},
        }};
    return spec;
}

const ObjectSpec& warm_up_spec() {
    static const ObjectSpec spec = {
        "objective.critic_warm_up",
        "Steps with more updates of the discriminator than `critic_steps`: the first `steps` steps, and every `every`-th step of "
        "the run. The defaults are those of the code of arXiv 1701.07875.",
        {
            {.name = "critic_steps",
             .kind = Kind::integer,
             .doc = "updates of the discriminator in such a step",
             .otherwise = 100,
             .min = 1,
             .max = 2000},
            {.name = "steps",
             .kind = Kind::integer,
             .doc = "number of initial warm-up steps",
             .otherwise = 25,
             .min = 0,
             .max = 1e12},
            {.name = "every",
             .kind = Kind::integer,
             .doc = "and each whose number, from 0, is a multiple of this; 0: no others",
             .otherwise = 500,
             .min = 0,
             .max = 1e12},
        }};
    return spec;
}

const ObjectSpec& accumulate_spec() {
    static const ObjectSpec spec = {"objective.accumulate",
                                    "Batches whose gradients are put together before an update.",
                                    {
                                        {.name = "discriminator",
                                         .kind = Kind::integer,
                                         .doc = "batches an update of the discriminator",
                                         .otherwise = 1,
                                         .min = 1,
                                         .max = 10000},
                                        {.name = "generator",
                                         .kind = Kind::integer,
                                         .doc = "batches an update of the generator",
                                         .otherwise = 1,
                                         .min = 1,
                                         .max = 10000},
                                        {.name = "reduction",
                                         .kind = Kind::text,
                                         .doc = "`sum` of the batches' gradients, or their `mean`",
                                         .otherwise = "sum",
                                         .choices = {"sum", "mean"}},
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
            {.name = "generator_loss",
             .kind = Kind::text,
             .doc = "`non_saturating` maximises log D(G(z)), `saturating` minimises log(1 - D(G(z))); bce losses only",
             .otherwise = "non_saturating",
             .choices = {"non_saturating", "saturating"}},
            {.name = "discriminator_loss",
             .kind = Kind::text,
             .doc = "`mean` or `sum` of its real and its fake part; with `wasserstein` always the sum",
             .otherwise = "mean",
             .choices = {"mean", "sum"}},
            {.name = "bce_epsilon",
             .kind = Kind::number,
             .doc = "0: logarithms stop at -100, as in PyTorch; above: probabilities stop this far from 0 and 1, as in Keras "
                    "(1e-7); `bce` only",
             .otherwise = 0.0,
             .min = 0,
             .max = 0.5,
             .below_max = true},
            {.name = "real_label",
             .kind = Kind::number,
             .doc = "of real images; bce losses and `least_squares`",
             .otherwise = 1.0,
             .min = -1e3,
             .max = 1e3},
            {.name = "fake_label",
             .kind = Kind::number,
             .doc = "of fake images; bce losses and `least_squares`",
             .otherwise = 0.0,
             .min = -1e3,
             .max = 1e3},
            {.name = "critic_steps",
             .kind = Kind::integer,
             .doc = "updates of the discriminator a step",
             .otherwise = 1,
             .min = 1,
             .max = 2000},
            {.name = "generator_steps",
             .kind = Kind::integer,
             .doc = "updates of the generator a step",
             .otherwise = 1,
             .min = 1,
             .max = 2000},
            {.name = "update_order",
             .kind = Kind::text,
             .doc = "who begins a step",
             .otherwise = "discriminator_first",
             .choices = {"discriminator_first", "generator_first"}},
            {.name = "fakes",
             .kind = Kind::text,
             .doc =
                 "`reuse`: the network that comes second in a step begins with the fake images of the first one's last update, "
                 "or of all its updates where it accumulates as many batches as those have together",
             .otherwise = "fresh",
             .choices = {"fresh", "reuse"}},
            {.name = "accumulate",
             .kind = Kind::object,
             .doc = "several batches an update",
             .otherwise = Members{},
             .object = &accumulate_spec()},
            {.name = "gradient_penalty", .kind = Kind::object, .doc = "on the discriminator", .object = &penalty_spec()},
            {.name = "weight_clip",
             .kind = Kind::number,
             .doc =
                 "all of the discriminator's parameters are clamped to [-this, this] (arXiv 1701.07875), those of batch norm too",
             .min = 0,
             .max = 1e6,
             .above_min = true},
            {.name = "clip_when",
             .kind = Kind::text,
             .doc = "`weight_clip` comes `after` each update of the discriminator, or `before` it, as in the paper's own code",
             .otherwise = "after",
             .choices = {"after", "before"}},
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
