// The optimizers, a row each. To add one: its kernel, its parameters in kernels/shapes.h and engine/nn/spec.h, its row here.
#include "base/error.h"
#include "engine/config/keys.h"
#include "engine/nn/optimizer.h"

namespace gannet {
namespace {

using config::Key, config::Kind, config::Object;
using States = std::vector<StateSpec>;
using Parameters = OptimizerParameters;
using Update = OptimizerUpdate;

// Keys that several have.
Key type_key(const char* type) { return required(config::word("type", {}, {type}, "the update rule")); }
Key lr_key() { return required(config::number("lr", {}, 0, 1e3, "learning rate")); }
Key betas_key(double beta1, double beta2, const char* doc) {
    return {.name = "betas",
            .kind = Kind::numbers,
            .doc = doc,
            .otherwise = config::List{beta1, beta2},
            .min = 0,
            .max = 1,
            .length = 2,
            .below_max = true};
}
Key decay_key(const char* doc = "weight decay: adds this value times the weight to its gradient") {
    return config::number("weight_decay", 0, 0, 1e3, doc);
}
Key share_key(const char* name, double otherwise, const char* doc) {
    return below_max(config::number(name, otherwise, 0, 1, doc));
}
Key eps_key() { return above_min(config::number("eps", 1e-8, 0, 1, "added to the square root in the denominator")); }
Key momentum_key() { return share_key("momentum", 0, "momentum: factor of the previous update in the next one"); }

}  // namespace

const std::vector<OptimizerKind>& optimizer_kinds() {
    static const std::vector<OptimizerKind> kinds = {
        {.spec = {"adam",
                  "Adam (arXiv 1412.6980).",
                  {type_key("adam"), lr_key(),
                   betas_key(0.9, 0.999, "decay rates of the averages of the gradient and of its square"), eps_key(),
                   decay_key()}},
         .parse = [](const Object& keys) -> Parameters {
             const std::vector<double> betas = keys.numbers("betas");
             return AdamParameters{betas[0], betas[1], keys.number("eps"), keys.number("weight_decay")};
         },
         .states =
             [](const Parameters&) {
                 return States{{"exp_avg"}, {"exp_avg_sq", true}};
             },
         .update =
             [](const Parameters& parameters, const Update& u) {
                 const auto& p = std::get<AdamParameters>(parameters);
                 u.advance(p.beta1, p.beta2);
                 RUN(u.device, adam_update, u.w, u.states[0], u.states[1], u.g, u.progress, p, u.n);
             }},
        {.spec = {"rmsprop",
                  "RMSprop. PyTorch's has alpha 0.99 and eps outside the root, TensorFlow's alpha 0.9 and eps inside.",
                  {type_key("rmsprop"), lr_key(), share_key("alpha", 0.99, "decay rate of the average of squares"), eps_key(),
                   momentum_key(), config::boolean("eps_inside_sqrt", false, "adds `eps` inside the square root"), decay_key()}},
         .parse = [](const Object& keys) -> Parameters {
             return RmspropParameters{keys.number("alpha"), keys.number("eps"), keys.number("momentum"),
                                      keys.number("weight_decay"), keys.boolean("eps_inside_sqrt")};
         },
         .states =
             [](const Parameters& parameters) {
                 States states{{"square_avg", true}};
                 if (std::get<RmspropParameters>(parameters).momentum > 0) states.push_back({"momentum_buffer"});
                 return states;
             },
         .update =
             [](const Parameters& parameters, const Update& u) {
                 const auto& p = std::get<RmspropParameters>(parameters);
                 real* const momentum = p.momentum > 0 ? u.states[1] : nullptr;
                 u.advance();
                 RUN(u.device, rmsprop_update, u.w, u.states[0], momentum, u.g, u.progress, p, u.n);
             }},
        {.spec = {"sgd",
                  "Stochastic gradient descent.",
                  {type_key("sgd"), lr_key(), momentum_key(), config::boolean("nesterov", false, "use Nesterov momentum"),
                   decay_key()}},
         .parse = [](const Object& keys) -> Parameters {
             const SgdParameters p{keys.number("momentum"), keys.number("weight_decay"), keys.boolean("nesterov")};
             if (p.nesterov && p.momentum == 0)
                 throw Error("'nesterov' needs a momentum", keys.where("nesterov"), "set 'momentum', for instance to 0.9");
             return p;
         },
         .states =
             [](const Parameters& parameters) {
                 return std::get<SgdParameters>(parameters).momentum > 0 ? States{{"momentum_buffer"}} : States{};
             },
         .update =
             [](const Parameters& parameters, const Update& u) {
                 const auto& p = std::get<SgdParameters>(parameters);
                 real* const momentum = p.momentum > 0 ? u.states[0] : nullptr;
                 u.advance();
                 RUN(u.device, sgd_update, u.w, momentum, u.g, u.progress, p, u.n);
             }},
        {.spec = {"lion",
                  "Lion (arXiv 2302.06675): moves each weight by `lr`, up or down. The paper uses a learning rate 3 to 10 times "
                  "lower than Adam's, and a weight decay 3 to 10 times higher.",
                  {type_key("lion"), lr_key(),
                   betas_key(0.9, 0.99, "factor of the average of gradients in the update, and decay rate of this average"),
                   decay_key("decoupled weight decay: also subtracts `lr` times this value times the weight")}},
         .parse = [](const Object& keys) -> Parameters {
             const std::vector<double> betas = keys.numbers("betas");
             return LionParameters{betas[0], betas[1], keys.number("weight_decay")};
         },
         .states = [](const Parameters&) { return States{{"exp_avg"}}; },
         .update =
             [](const Parameters& parameters, const Update& u) {
                 u.advance();
                 RUN(u.device, lion_update, u.w, u.states[0], u.g, u.progress, std::get<LionParameters>(parameters), u.n);
             }},
    };
    return kinds;
}

}  // namespace gannet
