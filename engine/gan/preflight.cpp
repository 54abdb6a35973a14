#include "engine/gan/preflight.h"

#include <algorithm>

#include "kernels/error.h"

namespace gannet {
namespace {

using Layers = std::vector<config::LayerConfig>;

// The place of the last layer, or of the list.
std::string where_last(const Layers& list, const char* name) { return list.empty() ? name : list.back().keys.where(); }

// Batch norm over a single value: its output is beta, its gradient zero, whatever comes in.
void check_batch_norms(const Sequence& sequence, int64_t batch) {
    for (const Layer& layer : sequence.layers) {
        if (layer.type == "batch_norm" && batch * layer.in.H * layer.in.W == 1)
            throw Error("batch_norm of a single value: batch 1, output " + layer.in.str(), layer.name,
                        "use a batch of 2 or more");
        for (const auto& child : layer.children) check_batch_norms(child.layers, batch);
    }
}

// What would make a generator of this output fit, if one key does.
std::string generator_advice(const config::ModelConfig& config, const SampleShape& out, const SampleShape& image) {
    if (out.size() == image.size()) return "end the generator with {\"layer\": \"reshape\", \"shape\": \"image\"}";
    if (out.vector) return "give the last layer \"units\": \"image\"";
    if (out.H == image.H && out.W == image.W) return "give the last layer \"channels\": \"image\"";
    const bool odd_growth = std::any_of(config.generator.begin(), config.generator.end(), [](const config::LayerConfig& layer) {
        return layer.type == "conv_transpose2d" && layer.keys.integer("kernel") % 2 == 1 && layer.keys.integer("stride") == 2 &&
               layer.keys.integer("output_padding") == 0;
    });
    if (odd_growth) return "a conv_transpose2d with odd kernel and stride 2 doubles the size with \"output_padding\": 1";
    return "change kernel, stride, padding or output_padding, or data.size";
}

}  // namespace

void check_networks(const config::ModelConfig& config, const Network& generator, const Network& discriminator,
                    const SampleShape& image) {
    const bool mismatch = config.allow_size_mismatch && !generator.out().vector && generator.out().C == image.C;
    if (generator.out() != image && !mismatch)
        throw Error("the generator makes " + generator.out().str() + ", the data are " + image.str(),
                    where_last(config.generator, "generator"), generator_advice(config, generator.out(), image));
    if (discriminator.out().size() != 1)
        throw Error("the discriminator ends in " + discriminator.out().str() + ", not in one score",
                    where_last(config.discriminator, "discriminator"),
                    discriminator.out().vector
                        ? "end it with {\"layer\": \"linear\", \"units\": 1}"
                        : "end it with flatten and {\"layer\": \"linear\", \"units\": 1}, or a convolution to 1x1x1");
    check_batch_norms(generator.layers(), config.batch);
    check_batch_norms(discriminator.layers(), config.batch);
    if (generator.parameters().empty())
        throw Error("the generator has nothing to train", "generator", "add a layer with weights");
    if (discriminator.parameters().empty())
        throw Error("the discriminator has nothing to train", "discriminator", "add a layer with weights");
}

double activations(const Sequence& sequence) {
    double values = 0;
    for (const Sequence::Step& step : sequence.plan) values += double(sequence.layers[step.layer].out.size());
    for (const Layer& layer : sequence.layers)
        for (const auto& child : layer.children) values += activations(child.layers);
    return values;
}

void check_memory(const config::ModelConfig& config, const Network& generator, const Network& discriminator, Device device) {
    // What a step keeps at the least: G's activations and D's of the real and the fake batch, with a penalty those of the
    // interpolated one, too, and of its gradient.
    const double passes = config.objective.has("gradient_penalty") ? 4 : 2;
    const double bytes = sizeof(real) * double(config.batch) *
                         std::max(activations(generator.layers()) + activations(discriminator.layers()),
                                  passes * activations(discriminator.layers()));
    const double available = double(device.available_memory());
    if (bytes <= available) return;
    const auto mebibytes = [](double n) { return std::to_string(int64_t(n / (1 << 20))) + " MiB"; };
    throw Error("a step needs at least " + mebibytes(bytes) + " for a batch of " + std::to_string(config.batch) + ", there are " +
                    mebibytes(available),
                device.name(), "lower `batch` or the layers' sizes");
}

}  // namespace gannet
