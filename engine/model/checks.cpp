// Checks of keys that are valid alone but not together.
#include "base/error.h"
#include "base/text.h"
#include "engine/model/parts.h"

namespace gannet::config {
namespace {

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
        throw Error("'first' leaves " + counted(first, "image") + ", fewer than a batch of " + grouped(model.batch),
                    model.where("data.first"), "use a smaller batch or more images");
}

void check_gan(const GanConfig& model) {
    check_mismatch(model);
    check_data(model);
    check_samples(model);
}

}  // namespace gannet::config
