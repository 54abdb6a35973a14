#include "engine/nn/advice.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace gannet {
namespace {

using Layers = std::vector<config::LayerConfig>;

// Layers that `repeat` makes of one entry of the file.
using Entry = std::vector<config::LayerConfig*>;

// An output padding that gives the network's output the size of the image. Found by trying, because later layers double its
// effect or drop it.
class OutputPadding {
public:
    OutputPadding(const Network& network, const Layers& list, const SampleShape& image, const config::BuildOptions& options)
        : network_(network), image_(image), options_(options), list_(list) {
        std::map<std::string, std::size_t> numbers;
        int64_t layers = 0;
        config::for_each_layer(list_, [&](config::LayerConfig& layer) {
            ++layers;
            if (!layer.keys.all().find("output_padding")) return;
            const auto [number, is_new] = numbers.try_emplace(layer.keys.where(), entries_.size());
            if (is_new) entries_.emplace_back();
            entries_[number->second].push_back(&layer);
        });
        tries_left_ = std::max<int64_t>(1, most_layers_built / std::max<int64_t>(1, layers));
    }

    // The place of the entry to change, or of the list if several need a change; "" if neither helps.
    std::pair<std::string, std::string> advice() {
        for (const Entry& entry : entries_)
            for (int64_t padding = 0; padding < entry[0]->keys.integer("stride") && tries_left_-- > 0; ++padding)
                if (fits(entry, padding))
                    return {entry[0]->keys.where(),
                            "give this " + entry[0]->kind->spec.name + " \"output_padding\": " + std::to_string(padding)};
        Entry odd;  // those that double the size with it
        for (const Entry& entry : entries_) {
            const config::Object& keys = entry[0]->keys;
            if (keys.integer("stride") == 2 && keys.integer("kernel") == 2 * keys.integer("padding") + 1 &&
                keys.integer("output_padding") == 0)
                odd.insert(odd.end(), entry.begin(), entry.end());
        }
        if (!odd.empty() && fits(odd, 1))
            return {list_.back().keys.where(),
                    "a conv_transpose2d with odd kernel and stride 2 doubles the size with \"output_padding\": 1"};
        return {};
    }

private:
    static constexpr int64_t most_layers_built = 20000;  // limits the time: a network of ten layers is tried 2,000 times

    bool fits(const Entry& layers, int64_t padding) {
        std::vector<json::Value> given;
        for (config::LayerConfig* layer : layers) {
            json::Value& value = layer->keys.value("output_padding");
            given.push_back(value);
            value.data = padding;
        }
        bool fit = false;
        try {
            BuildContext context{.net = network_.net(), .image = image_, .options = options_};
            const SampleShape out = build_sequence(list_, network_.name(), network_.in(), context).out;
            fit = !out.vector && out.H == image_.H && out.W == image_.W;
        } catch (const Error&) {  // a later layer does not accept that size
        }
        for (std::size_t i = 0; i < layers.size(); ++i) layers[i]->keys.value("output_padding") = given[i];
        return fit;
    }

    const Network& network_;
    SampleShape image_;
    const config::BuildOptions& options_;
    Layers list_;                 // a copy to modify
    std::vector<Entry> entries_;  // every conv_transpose2d
    int64_t tries_left_ = 0;
};

}  // namespace

double batch_norm_eps(const config::LayerConfig& layer) {
    return layer.kind->traits.normalises_batch() ? layer.keys.number("eps") : 0;
}

std::pair<std::string, std::string> output_padding_advice(const Network& network, const Layers& list, const SampleShape& image,
                                                          const config::BuildOptions& options) {
    return OutputPadding(network, list, image, options).advice();
}

}  // namespace gannet
