// The steps of reading a model file, for model.cpp.
#pragma once
#include "engine/model/model.h"

namespace gannet::config {

// Reads lists of layers and expands `repeat`. At most 10,000 layers in all lists together.
class Expander {
public:
    explicit Expander(const Variables& variables) : variables_(variables) {}
    std::vector<LayerConfig> expand(const Value& list) { return expand(list, 1); }

private:
    std::vector<LayerConfig> expand(const Value& list, double widen);
    void add(const Value& entry, double widen, std::vector<LayerConfig>& out);
    void repeat(const Object& keys, double widen, std::vector<LayerConfig>& out);

    const Variables& variables_;
    int64_t count_ = 0;
};
// Back to what a file holds.
Value layers_value(const std::vector<LayerConfig>& layers);

struct Optimizers {
    OptimizerConfig generator, discriminator;
    Value effective;  // written so that a later --set of a key has the same meaning as in the file
};
Optimizers read_optimizers(const Value& given);

DataConfig read_data(const Object& data);
InitConfig read_init(const Object& init);
LatentConfig read_latent(const Object& latent);
SamplesConfig read_samples(const Object& samples);
ObserveConfig read_observe(const Object& observe);
CudaConfig read_cuda(const Object& cuda);
Numerics read_numerics(const Object& compute, const Object& cpu, const Object& cuda);

// The key cuda.tune: the name of a file is replaced by what it holds, which is checked. `precision` is compute.precision's value.
void read_tuning(Value& tune, const std::string& precision);
std::vector<TunedProduct> read_products(const Value& tune);  // of one that was checked

// Checks for sections that contradict each other.
void check_gan(const GanConfig& model);
void check_data(const SharedConfig& model);

}  // namespace gannet::config
