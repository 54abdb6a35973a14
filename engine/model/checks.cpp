// Checks of keys that are valid alone but not together.
#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "engine/model/parts.h"
#include "engine/nn/module.h"

namespace gannet::config {
namespace {

// What the discriminator's scores are is told by its last layer, but for those that only rearrange them, or drop some.
void check_output(const std::vector<LayerConfig>& discriminator, const LossInfo& loss) {
    using Scores = LossInfo::Scores;
    const auto keeps = [&](const LayerConfig& layer) {
        const Traits& traits = layer.kind->traits;
        return traits.family == Family::arrangement || (traits.stochastic && loss.scores != Scores::probabilities);
    };
    const auto last = std::find_if_not(discriminator.rbegin(), discriminator.rend(), keeps);
    if (last == discriminator.rend()) return;
    const ActivationRow& activation = row_of(last->kind->traits.activation);
    const bool sigmoid = activation.low == 0 && activation.high == 1;
    const std::string name = "the loss '" + std::string(loss.name) + "'";
    const std::string where = last->keys.where();
    if (loss.scores == Scores::probabilities && !sigmoid)
        throw Error(name + " needs probabilities, but the discriminator ends in '" + last->kind->spec.name + "'", where,
                    "end it in { \"layer\": \"sigmoid\" }, or use the loss 'bce_with_logits'");
    if (loss.scores == Scores::logits && sigmoid)
        throw Error(name + " has its own sigmoid, but the discriminator ends in one", where,
                    "remove the layer, or use the loss 'bce'");
    if (loss.scores == Scores::unbounded && sigmoid)
        throw Error(name + " needs unbounded scores, but the discriminator ends in a sigmoid", where, "remove the layer");
}

void check_mismatch(const GanConfig& model) {
    if (model.allow_size_mismatch && model.objective.penalty)
        throw Error("'allow_size_mismatch' with a gradient penalty, which is taken between real and fake images",
                    model.where("objective.gradient_penalty"), "remove one of them");
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
        throw Error("'first' leaves " + counted(first, "image") + ", fewer than a batch of " + std::to_string(model.batch),
                    model.where("data.first"), "use a smaller batch or more images");
}

void check_gan(const GanConfig& model) {
    check_output(model.discriminator, *model.objective.loss);
    check_mismatch(model);
    check_data(model);
    check_samples(model);
}

}  // namespace gannet::config
