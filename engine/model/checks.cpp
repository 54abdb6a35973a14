// Checks of keys that are valid alone but not together.
#include <algorithm>

#include "base/error.h"
#include "engine/model/parts.h"

namespace gannet::config {
namespace {

// `given` is the object as it was written, to distinguish a given key from a default.
void check_objective(const Object& objective, const Value& given) {
    const std::string loss = objective.text("loss");
    const bool bce = loss == "bce" || loss == "bce_with_logits", labels = bce || loss == "least_squares";
    const auto refuse = [&](const char* key, bool belongs, const std::string& to) {
        const Value* value = given.find(key);
        if (value && !value->is_null() && !belongs)
            throw Error("'" + std::string(key) + "' makes no sense with the loss '" + loss + "'", value->where(),
                        "remove it; it belongs to " + to);
    };
    refuse("generator_loss", bce, "bce and bce_with_logits");
    refuse("bce_epsilon", loss == "bce", "bce");
    refuse("real_label", labels, "bce, bce_with_logits and least_squares");
    refuse("fake_label", labels, "bce, bce_with_logits and least_squares");
    if (loss == "wasserstein" && objective.text("discriminator_loss") != "sum")
        throw Error("'discriminator_loss' is always the sum with the loss 'wasserstein'", objective.where("discriminator_loss"),
                    "remove it");
    if (!labels) return;
    for (const char* label : {"real_label", "fake_label"})
        if (const double value = objective.number(label); bce && (value < 0 || value > 1))
            throw Error("'" + std::string(label) + "' is not a probability", objective.where(label),
                        "with the loss '" + loss + "' it must be at least 0 and at most 1");
    if (objective.number("real_label") == objective.number("fake_label"))
        throw Error("'real_label' and 'fake_label' are the same", objective.where("real_label"),
                    "the discriminator would have nothing to distinguish");
}

void check_schedule(const Object& objective, const Value& given) {
    if (const Value* when = given.find("clip_when"); when && !when->is_null() && !objective.has("weight_clip"))
        throw Error("'clip_when' without 'weight_clip'", when->where(), "remove it, or give 'weight_clip'");
    if (objective.has("critic_warm_up") && objective.text("fakes") == "reuse")
        throw Error("'critic_warm_up' with 'fakes' \"reuse\"", objective.where("critic_warm_up"), "use \"fresh\"");
    if (objective.text("fakes") != "reuse") return;
    const Object accumulate = objective.object("accumulate");
    const bool generator_first = objective.text("update_order") == "generator_first";
    const int64_t giver = accumulate.integer(generator_first ? "generator" : "discriminator"),
                  taker = accumulate.integer(generator_first ? "discriminator" : "generator"),
                  updates = objective.integer(generator_first ? "generator_steps" : "critic_steps");
    if (taker != giver && taker != giver * updates)
        throw Error(
            "'fakes' cannot be \"reuse\" where the networks accumulate different numbers of batches", objective.where("fakes"),
            "use \"fresh\", or the same number for both in 'accumulate', or for the second the first one's times its updates");
}

// What the discriminator's scores are is told by its last layer, but for those that only rearrange them, or drop some.
void check_output(const std::vector<LayerConfig>& discriminator, const Object& objective) {
    const std::string loss = objective.text("loss");
    const auto keeps = [&](const LayerConfig& layer) {
        const Traits& traits = layer_traits(layer.type);
        return traits.family == Family::arrangement || (traits.stochastic && loss != "bce");
    };
    const auto last = std::find_if_not(discriminator.rbegin(), discriminator.rend(), keeps);
    if (last == discriminator.rend()) return;
    const ActivationRow& activation = row_of(layer_traits(last->type).activation);
    const bool sigmoid = activation.low == 0 && activation.high == 1;
    if (loss == "bce" && !sigmoid)
        throw Error("the loss 'bce' needs probabilities, but the discriminator ends in '" + last->type + "'", last->keys.where(),
                    "end it in { \"layer\": \"sigmoid\" }, or use the loss 'bce_with_logits'");
    if (loss == "bce_with_logits" && sigmoid)
        throw Error("the loss 'bce_with_logits' has its own sigmoid, but the discriminator ends in one", last->keys.where(),
                    "remove the layer, or use the loss 'bce'");
    if ((loss == "wasserstein" || loss == "hinge") && sigmoid)
        throw Error("the loss '" + loss + "' needs unbounded scores, but the discriminator ends in a sigmoid", last->keys.where(),
                    "remove the layer");
}

void check_mismatch(const GanConfig& model) {
    if (model.allow_size_mismatch && model.objective.has("gradient_penalty"))
        throw Error("'allow_size_mismatch' with a gradient penalty, which is taken between real and fake images",
                    model.objective.where("gradient_penalty"), "remove one of them");
}

void check_samples(const GanConfig& model) {
    if (model.samples.batch_statistics && model.samples.rows * model.samples.columns == 1)
        throw Error("a single sample has no batch statistics", model.where("samples.statistics"),
                    "use \"running\", or a larger grid");
}

}  // namespace

void check_data(const SharedConfig& model) {
    const DataConfig& data = model.data;
    if (data.black >= data.white)
        throw Error("'range' is not increasing", model.where("data.range"), "write [black, white], for instance [-1, 1]");
    if (const int64_t first = data.images.first; first > 0 && first < model.batch)
        throw Error("'first' leaves " + std::to_string(first) + " images, less than a batch of " + std::to_string(model.batch),
                    model.where("data.first"), "use a smaller batch or more images");
}

void check_gan(const GanConfig& model, const Value& objective) {
    check_objective(model.objective, objective);
    check_schedule(model.objective, objective);
    check_output(model.discriminator, model.objective);
    check_mismatch(model);
    check_data(model);
    check_samples(model);
}

}  // namespace gannet::config
