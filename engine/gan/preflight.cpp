#include "engine/gan/preflight.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"

namespace gannet {
namespace {

using Layers = std::vector<config::LayerConfig>;

// The place of the last layer, or of the list.
std::string where_last(const Layers& list, const char* name) { return list.empty() ? name : list.back().keys.where(); }

// Batch norm over a single value: its output is beta, its gradient zero, whatever comes in.
void check_batch_norms(const Network& network, int64_t batch) {
    for_each_module(network.layers(), [&](const Module& layer) {
        if (layer.traits.normalises_batch() && batch * layer.in.H * layer.in.W == 1)
            throw Error(layer.type + " of a single value: batch 1, output " + layer.in.str(), layer.name,
                        "use a batch of 2 or more");
    });
}

// Every conv_transpose2d of a list, however deep: those that `repeat` makes of one entry of the file together.
using Entry = std::vector<config::LayerConfig*>;
void collect_transposed(Layers& list, std::vector<Entry>& found, std::map<std::string, std::size_t>& numbers) {
    for (config::LayerConfig& layer : list) {
        if (layer.keys.all().find("output_padding")) {
            const auto [number, is_new] = numbers.try_emplace(layer.keys.where(), found.size());
            if (is_new) found.emplace_back();
            found[number->second].push_back(&layer);
        }
        for (auto& [name, inner] : layer.lists) collect_transposed(inner, found, numbers);
    }
}

int64_t count_layers(const Layers& list) {
    int64_t count = int64_t(list.size());
    for (const config::LayerConfig& layer : list)
        for (const auto& [name, inner] : layer.lists) count += count_layers(inner);
    return count;
}

// An output padding that gives the generator the data's size. Tried, not guessed: what it adds is doubled on the way, or lost.
class OutputPadding {
public:
    OutputPadding(const config::GanConfig& config, const Network& generator, const SampleShape& image)
        : config_(config), generator_(generator), image_(image), list_(config.generator) {
        std::map<std::string, std::size_t> numbers;
        collect_transposed(list_, entries_, numbers);
        tries_left_ = std::max<int64_t>(1, most_layers_built / std::max<int64_t>(1, count_layers(list_)));
    }

    // The place of the entry that needs another one, or of the list where several lack theirs; "" where neither helps.
    std::pair<std::string, std::string> advice() {
        for (const Entry& entry : entries_)
            for (int64_t padding = 0; padding < entry[0]->keys.integer("stride") && tries_left_-- > 0; ++padding)
                if (fits(entry, padding))
                    return {entry[0]->keys.where(),
                            "give this " + entry[0]->type + " \"output_padding\": " + std::to_string(padding)};
        Entry odd;  // those that double the size with it
        for (const Entry& entry : entries_) {
            const config::Object& keys = entry[0]->keys;
            if (keys.integer("stride") == 2 && keys.integer("kernel") == 2 * keys.integer("padding") + 1 &&
                keys.integer("output_padding") == 0)
                odd.insert(odd.end(), entry.begin(), entry.end());
        }
        if (!odd.empty() && fits(odd, 1))
            return {where_last(config_.generator, "generator"),
                    "a conv_transpose2d with odd kernel and stride 2 doubles the size with \"output_padding\": 1"};
        return {};
    }

private:
    static constexpr int64_t most_layers_built = 20000;  // takes a moment; a net of ten layers is tried 2,000 times

    bool fits(const Entry& layers, int64_t padding) {
        std::vector<json::Value> given;
        for (config::LayerConfig* layer : layers) {
            json::Value& value = layer->keys.value("output_padding");
            given.push_back(value);
            value.data = padding;
        }
        bool fit = false;
        try {
            BuildContext context{.net = generator_.net(), .image = image_, .options = config_};
            const SampleShape out = build_sequence(list_, generator_.name(), generator_.in(), context).out;
            fit = !out.vector && out.H == image_.H && out.W == image_.W;
        } catch (const Error&) {  // a later layer does not take that size
        }
        for (std::size_t i = 0; i < layers.size(); ++i) layers[i]->keys.value("output_padding") = given[i];
        return fit;
    }

    const config::GanConfig& config_;
    const Network& generator_;
    SampleShape image_;
    Layers list_;  // a copy to try things on
    std::vector<Entry> entries_;
    int64_t tries_left_ = 0;
};

// The place to change, and what would make a generator of this output fit, if one key does.
std::pair<std::string, std::string> generator_advice(const config::GanConfig& config, const Network& generator,
                                                     const SampleShape& image) {
    const SampleShape out = generator.out();
    const std::string last = where_last(config.generator, "generator");
    if (out.size() == image.size()) return {last, "end the generator with {\"layer\": \"reshape\", \"shape\": \"image\"}"};
    if (out.vector) return {last, "give the last layer \"units\": \"image\""};
    if (out.H == image.H && out.W == image.W) return {last, "give the last layer \"channels\": \"image\""};
    const auto padding = OutputPadding(config, generator, image).advice();
    if (!padding.first.empty()) return padding;
    return {last, "change kernel, stride, padding or output_padding, or data.size"};
}

}  // namespace

void check_networks(const config::GanConfig& config, const Network& generator, const Network& discriminator,
                    const SampleShape& image) {
    const bool mismatch = config.allow_size_mismatch && !generator.out().vector && generator.out().C == image.C;
    if (generator.out() != image && !mismatch) {
        const auto [place, to_do] = generator_advice(config, generator, image);
        throw Error("the generator makes " + generator.out().str() + ", the data are " + image.str(), place, to_do);
    }
    if (discriminator.out().size() != 1)
        throw Error("the discriminator ends in " + discriminator.out().str() + ", not in one score",
                    where_last(config.discriminator, "discriminator"),
                    discriminator.out().vector
                        ? "end it with {\"layer\": \"linear\", \"units\": 1}"
                        : "end it with flatten and {\"layer\": \"linear\", \"units\": 1}, or a convolution to 1x1x1");
    check_batch_norms(generator, config.batch);
    check_batch_norms(discriminator, config.batch);
    if (generator.parameters().empty())
        throw Error("the generator has nothing to train", "generator", "add a layer with weights");
    if (discriminator.parameters().empty())
        throw Error("the discriminator has nothing to train", "discriminator", "add a layer with weights");
}

double activations(const Sequence& sequence) {
    double values = 0;
    for (const Sequence::Step& step : sequence.plan) values += double(sequence.layers[step.layer]->out.size());
    for (const auto& layer : sequence.layers)
        for (const auto& child : layer->children) values += activations(child.layers);
    return values;
}

void check_memory(const config::GanConfig& config, const Network& generator, const Network& discriminator, Device device) {
    // A lower bound of what a step keeps: G's activations, and D's of the real and the fake batch; with a penalty also those of
    // the interpolated batch and of its gradient.
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
