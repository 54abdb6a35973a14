// The steps of reading a model file, for model.cpp.
#pragma once
#include "engine/model/model.h"

namespace gannet::config {

// Reads a list of layers and expands `repeat`. `count` is the number of layers of the file's lists so far, at most 10,000.
std::vector<LayerConfig> expand_layers(const Value& list, const Variables& variables, int64_t& count);
// Back to what a file holds.
Value layers_value(const std::vector<LayerConfig>& layers);

struct Optimizers {
    OptimizerConfig generator, discriminator;
    Value effective;  // written so that a later --set of a key has the same meaning as in the file
};
Optimizers read_optimizers(const Value& given);

// The key cuda.tune: the name of a file is replaced by what it holds, which is checked. `precision` is compute.precision's value.
void read_tuning(Value& tune, const std::string& precision);
std::vector<TunedProduct> read_products(const Value& tune);  // of one that was checked

// Checks for sections that contradict each other.
void check_gan(const GanConfig& model);
void check_data(const SharedConfig& model);

}  // namespace gannet::config
