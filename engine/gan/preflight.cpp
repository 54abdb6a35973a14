#include "engine/gan/preflight.h"

#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/nn/advice.h"

namespace gannet {
namespace {

using Layers = std::vector<config::LayerConfig>;

// The place of the last layer, or of the list if it is empty.
std::string where_last(const Layers& list, const char* name) { return list.empty() ? name : list.back().keys.where(); }

// For a single value the output of a batch norm is beta and its gradient zero, for any input.
void check_batch_norms(const Network& network, int64_t batch) {
    for_each_module(network.layers(), [&](const Module& layer) {
        if (layer.traits.normalises_batch() && batch * layer.in.H * layer.in.W == 1)
            throw Error(layer.type + " over a single value (batch size 1, input " + layer.in.str() + ")", layer.name,
                        "use a batch of 2 or more");
    });
}

// The last layer of the discriminator determines the kind of its scores. Layers after it that only rearrange scores, or drop
// some, do not count.
void check_scores(const Network& discriminator, const Layers& list, const LossInfo& loss) {
    using Scores = LossInfo::Scores;
    const auto keeps = [&](const auto& layer) {
        return layer->traits.family == Family::arrangement || (layer->traits.stochastic && loss.scores != Scores::probabilities);
    };
    const auto& layers = discriminator.layers().layers;
    const auto last = std::find_if_not(layers.rbegin(), layers.rend(), keeps);
    if (last == layers.rend()) return;
    const ActivationRow& activation = row_of((*last)->traits.activation);
    const bool sigmoid = activation.low == 0 && activation.high == 1;
    const std::string name = "the loss '" + std::string(loss.name) + "'";
    const std::string where = list[std::size_t(layers.rend() - last) - 1].keys.where();
    if (loss.scores == Scores::probabilities && !sigmoid)
        throw Error(name + " needs probabilities, but the discriminator ends in '" + (*last)->type + "'", where,
                    "end it in { \"layer\": \"sigmoid\" }, or use the loss 'bce_with_logits'");
    if (loss.scores == Scores::logits && sigmoid)
        throw Error(name + " has its own sigmoid, but the discriminator ends in one", where,
                    "remove the layer, or use the loss 'bce'");
    if (loss.scores == Scores::unbounded && sigmoid)
        throw Error(name + " needs unbounded scores, but the discriminator ends in a sigmoid", where, "remove the layer");
}

// The place to change, and the change that would make this generator fit, if a single key suffices.
std::pair<std::string, std::string> generator_advice(const config::GanConfig& config, const Network& generator,
                                                     const SampleShape& image) {
    const SampleShape out = generator.out();
    const std::string last = where_last(config.generator, "generator");
    if (out.size() == image.size()) return {last, "end the generator with {\"layer\": \"reshape\", \"shape\": \"image\"}"};
    if (out.vector) return {last, "give the last layer \"units\": \"image\""};
    if (out.H == image.H && out.W == image.W) return {last, "give the last layer \"channels\": \"image\""};
    const auto padding = output_padding_advice(generator, config.generator, image, config);
    if (!padding.first.empty()) return padding;
    return {last, "change kernel, stride, padding or output_padding, or data.size"};
}

}  // namespace

void check_networks(const config::GanConfig& config, const Network& generator, const Network& discriminator,
                    const SampleShape& image) {
    const bool mismatch = config.allow_size_mismatch && !generator.out().vector && generator.out().C == image.C;
    if (generator.out() != image && !mismatch) {
        const auto [place, to_do] = generator_advice(config, generator, image);
        throw Error("the generator outputs " + generator.out().str() + ", but the data are " + image.str(), place, to_do);
    }
    if (discriminator.out().size() != 1)
        throw Error("the discriminator ends in " + discriminator.out().str() + ", not in one score",
                    where_last(config.discriminator, "discriminator"),
                    discriminator.out().vector
                        ? "end it with {\"layer\": \"linear\", \"units\": 1}"
                        : "end it with flatten and {\"layer\": \"linear\", \"units\": 1}, or a convolution to 1x1x1");
    check_scores(discriminator, config.discriminator, *config.objective.loss);
    check_batch_norms(generator, config.batch);
    check_batch_norms(discriminator, config.batch);
    if (generator.parameters().empty())
        throw Error("the generator has nothing to train", "generator", "add a layer with weights");
    if (discriminator.parameters().empty())
        throw Error("the discriminator has nothing to train", "discriminator", "add a layer with weights");
}

GridMemory grid_memory(const config::GanConfig& config, const Network& generator, const Device& device) {
    const double count = double(config.samples.rows) * double(config.samples.columns), image = double(generator.out().size());
    std::set<double> sizes{image};
    for_each_module(generator.layers(), [&](const Module& module) { sizes.insert(double(module.out.size())); });
    const double widest = *sizes.rbegin(), all = std::accumulate(sizes.begin(), sizes.end(), 0.0);
    // The values and their bytes. The picture and its file, each as large as the bytes, take less: the values are freed before.
    const double read = count * image * (sizeof(real) + 1);
    if (device.is_cuda()) return {count * widest * sizeof(real), read};
    constexpr double rounding = 1.125;  // of the pool, at most
    return {0, count * (all + widest) * sizeof(real) * rounding + read};
}

namespace {

// `step`: bytes of a step, which the pool keeps while a grid is drawn.
void check_grid(const config::GanConfig& config, const Network& generator, const Network& discriminator, const Device& device,
                double step) {
    const GridMemory grid = grid_memory(config, generator, device);
    const double values = 2.0 * sizeof(real) * double(generator.parameter_count() + discriminator.parameter_count());
    const auto check = [&](double samples, double networks, int64_t free) {
        if (samples <= 0 || !lack_of_memory(networks, free).empty())
            return;  // networks that do not fit have an error of their own
        if (const std::string lack = lack_of_memory(samples + networks, free); !lack.empty())
            throw LackOfMemory("with the networks and a step, the grid of " + grouped(config.samples.rows) + " x " +
                                   grouped(config.samples.columns) + " samples takes " + lack,
                               config.where("samples"), "lower samples.rows and samples.columns, or data.size");
    };
    check(grid.host, device.is_cuda() ? 0 : values + step, free_memory());
    check(grid.device, generator.device().is_cuda() ? 0 : values, device.available_memory());  // on the GPU: allocated already
}

}  // namespace

void check_memory(const config::GanConfig& config, const Network& generator, const Network& discriminator, Device device) {
    const gan::Plan plan = gan::make_plans(config, generator, discriminator)[0];
    const double bytes = plan.kept_bytes(generator, discriminator), available = double(device.available_memory());
    if (bytes <= available) return check_grid(config, generator, discriminator, device, bytes);
    const auto mebibytes = [](double n) { return std::to_string(int64_t(n / (1 << 20))) + " MiB"; };
    throw Error("a step needs at least " + mebibytes(bytes) + " for a batch of " + std::to_string(plan.batch) + ", but only " +
                    mebibytes(available) + " are free",
                device.name(), "lower `batch` or the layers' sizes");
}

}  // namespace gannet
