// Objective and optimizers.
#include "engine/model/sections.h"

namespace gannet::config {
namespace {

// Keys that every optimizer has.
Key type_key(const char* type) {
    return {.name = "type", .kind = Kind::text, .doc = "the rule of the update", .required = true, .choices = {type}};
}
Key lr_key() { return {.name = "lr", .kind = Kind::number, .doc = "learning rate", .required = true, .min = 0, .max = 1e3}; }
Key decay_key() {
    return {.name = "weight_decay",
            .kind = Kind::number,
            .doc = "weight decay: this times the weight is added to its gradient",
            .otherwise = 0.0,
            .min = 0,
            .max = 1e3};
}
Key eps_key() {
    return {.name = "eps",
            .kind = Kind::number,
            .doc = "added to the square root in the denominator",
            .otherwise = 1e-8,
            .min = 0,
            .max = 1,
            .above_min = true};
}
Key momentum_key() {
    return {.name = "momentum",
            .kind = Kind::number,
            .doc = "momentum: share of the previous update in the next one",
            .otherwise = 0.0,
            .min = 0,
            .max = 1,
            .below_max = true};
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
             .doc = "weight of the penalty, lambda in the paper",
             .otherwise = 10.0,
             .min = 0,
             .max = 1e6},
            {.name = "norm",
             .kind = Kind::text,
             .doc =
                 "the norm is taken over each `sample` (the paper), over the `channel`s of each pixel, or over the whole `batch`",
             .otherwise = "sample",
             .choices = {"sample", "channel", "batch"}},
            {.name = "target", .kind = Kind::number, .doc = "the target norm", .otherwise = 1.0, .min = 0, .max = 1e6},
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
             .doc = "also every N-th step (step % N == 0); 0: never",
             .otherwise = 500,
             .min = 0,
             .max = 1e12},
        }};
    return spec;
}

const ObjectSpec& accumulate_spec() {
    static const ObjectSpec spec = {"objective.accumulate",
                                    "Number of batches whose gradients are accumulated for one update.",
                                    {
                                        {.name = "discriminator",
                                         .kind = Kind::integer,
                                         .doc = "batches per update of the discriminator",
                                         .otherwise = 1,
                                         .min = 1,
                                         .max = 10000},
                                        {.name = "generator",
                                         .kind = Kind::integer,
                                         .doc = "batches per update of the generator",
                                         .otherwise = 1,
                                         .min = 1,
                                         .max = 10000},
                                        {.name = "reduction",
                                         .kind = Kind::text,
                                         .doc = "use the `sum` or the `mean` of the batches' gradients",
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
            {.name = "loss",
             .kind = Kind::text,
             .doc = "`bce` needs probabilities, so the discriminator ends in `sigmoid`; the others need unbounded scores",
             .required = true,
             .choices = {"bce", "bce_with_logits", "wasserstein", "hinge", "least_squares"}},
            {.name = "generator_loss",
             .kind = Kind::text,
             .doc = "`non_saturating` maximises log D(G(z)), `saturating` minimises log(1 - D(G(z))); bce losses only",
             .otherwise = "non_saturating",
             .choices = {"non_saturating", "saturating"}},
            {.name = "discriminator_loss",
             .kind = Kind::text,
             .doc = "`mean` or `sum` of the real and the fake part; with `wasserstein` always the sum",
             .otherwise = "mean",
             .choices = {"mean", "sum"}},
            {.name = "bce_epsilon",
             .kind = Kind::number,
             .doc = "0: logarithms are clamped at -100, as in PyTorch; above 0: probabilities are clamped to this distance from "
                    "0 and 1, as in Keras (1e-7); `bce` only",
             .otherwise = 0.0,
             .min = 0,
             .max = 0.5,
             .below_max = true},
            {.name = "real_label",
             .kind = Kind::number,
             .doc = "label of real images; bce losses and `least_squares`",
             .otherwise = 1.0,
             .min = -1e3,
             .max = 1e3},
            {.name = "fake_label",
             .kind = Kind::number,
             .doc = "label of fake images; bce losses and `least_squares`",
             .otherwise = 0.0,
             .min = -1e3,
             .max = 1e3},
            {.name = "critic_steps",
             .kind = Kind::integer,
             .doc = "updates of the discriminator per step",
             .otherwise = 1,
             .min = 1,
             .max = 2000},
            {.name = "generator_steps",
             .kind = Kind::integer,
             .doc = "updates of the generator per step",
             .otherwise = 1,
             .min = 1,
             .max = 2000},
            {.name = "update_order",
             .kind = Kind::text,
             .doc = "the network that is updated first in a step",
             .otherwise = "discriminator_first",
             .choices = {"discriminator_first", "generator_first"}},
            {.name = "fakes",
             .kind = Kind::text,
             .doc = "`fresh`: every update generates new fake images; `reuse`: the network updated second reuses the fakes of "
                    "the first network's last update (or of all its updates, if the total number of batches matches)",
             .otherwise = "fresh",
             .choices = {"fresh", "reuse"}},
            {.name = "accumulate",
             .kind = Kind::object,
             .doc = "several batches per update",
             .otherwise = Members{},
             .object = &accumulate_spec()},
            {.name = "gradient_penalty", .kind = Kind::object, .doc = "on the discriminator", .object = &penalty_spec()},
            {.name = "weight_clip",
             .kind = Kind::number,
             .doc = "all parameters of the discriminator, including batch norm, are clamped to [-this, this] (arXiv 1701.07875)",
             .min = 0,
             .max = 1e6,
             .above_min = true},
            {.name = "clip_when",
             .kind = Kind::text,
             .doc = "clip `after` each update of the discriminator, or `before` it, as in the paper's code",
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
    static const ObjectSpec spec = {"optimizer",
                                    "The keys of its `type`, and overrides for one network. An override of `type` starts from "
                                    "that type's defaults; only `lr` is kept.",
                                    {
                                        {.name = "type",
                                         .kind = Kind::text,
                                         .doc = "the rule of the update",
                                         .required = true,
                                         .choices = {"adam", "rmsprop", "sgd"}},
                                        {.name = "generator", .kind = Kind::object, .doc = "overrides for the generator"},
                                        {.name = "discriminator", .kind = Kind::object, .doc = "overrides for the discriminator"},
                                    }};
    return spec;
}

const std::vector<const ObjectSpec*>& optimizer_specs() {
    static const ObjectSpec adam = {"adam",
                                    "Adam (arXiv 1412.6980).",
                                    {
                                        type_key("adam"),
                                        lr_key(),
                                        {.name = "betas",
                                         .kind = Kind::numbers,
                                         .doc = "decay rates of the averages of the gradient and of its square",
                                         .otherwise = List{0.9, 0.999},
                                         .min = 0,
                                         .max = 1,
                                         .length = 2,
                                         .below_max = true},
                                        eps_key(),
                                        decay_key(),
                                    }};
    static const ObjectSpec rmsprop = {
        "rmsprop",
        "RMSprop. PyTorch's has alpha 0.99 and eps outside the root, TensorFlow's alpha 0.9 and eps inside.",
        {
            type_key("rmsprop"),
            lr_key(),
            {.name = "alpha",
             .kind = Kind::number,
             .doc = "decay rate of the average of squares",
             .otherwise = 0.99,
             .min = 0,
             .max = 1,
             .below_max = true},
            eps_key(),
            momentum_key(),
            {.name = "eps_inside_sqrt", .kind = Kind::boolean, .doc = "adds `eps` inside the square root", .otherwise = false},
            decay_key(),
        }};
    static const ObjectSpec sgd = {
        "sgd",
        "Stochastic gradient descent.",
        {
            type_key("sgd"),
            lr_key(),
            momentum_key(),
            {.name = "nesterov", .kind = Kind::boolean, .doc = "use Nesterov momentum", .otherwise = false},
            decay_key(),
        }};
    static const std::vector<const ObjectSpec*> all = {&adam, &rmsprop, &sgd};
    return all;
}

const ObjectSpec* optimizer_spec(const std::string& type) {
    for (const ObjectSpec* spec : optimizer_specs())
        if (spec->name == type) return spec;
    return nullptr;
}

}  // namespace gannet::config
