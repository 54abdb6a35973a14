// Sections of a model file as structs. Their keys are looked up by name here and nowhere else.
#include "engine/model/choices.h"
#include "engine/model/parts.h"

namespace gannet::config {

DataConfig read_data(const Object& data) {
    const std::vector<double> range = data.numbers("range");
    return {.images = {.set = data.text("set"),
                       .path = data.text("path"),
                       .split = data.text("split"),
                       .size = data.integer("size"),
                       .first = data.integer("first"),
                       .channels = data.integer("channels"),
                       .crop = data.integer("crop"),
                       .background = data.text("background"),
                       .skip_broken = choice(skip_broken, data.text("broken")),
                       .cache = data.boolean("cache"),
                       .max_pixels = data.integer("max_pixels"),
                       .max_bytes = data.integer("max_bytes"),
                       .report = {},
                       .where = [data](const std::string& key) { return data.where(key); }},
            .black = range[0],
            .white = range[1],
            .shuffle = data.boolean("shuffle")};
}

InitConfig read_init(const Object& init) {
    return {.conv = choice(weight_rules, init.text("conv")),
            .linear = choice(weight_rules, init.text("linear")),
            .std = init.number("std"),
            .zero_biases = choice(zero_biases, init.text("bias")),
            .gamma_std = init.number("gamma_std")};
}

LatentConfig read_latent(const Object& latent) {
    return {latent.integer("size"), choice(distributions, latent.text("distribution"))};
}

SamplesConfig read_samples(const Object& samples) {
    return {.rows = samples.integer("rows"),
            .columns = samples.integer("columns"),
            .every = samples.integer("every"),
            .batch_statistics = choice(batch_statistics, samples.text("statistics")),
            .min_max = choice(min_max_contrast, samples.text("contrast"))};
}

ObserveConfig read_observe(const Object& observe) { return {observe.integer("every")}; }

CudaConfig read_cuda(const Object& cuda) { return {cuda.boolean("graph"), choice(cuda_data, cuda.text("data"))}; }

Numerics read_numerics(const Object& compute, const Object& cpu, const Object& cuda) {
    Numerics out;
    out.precision = choice(precisions, compute.text("precision"));
    out.matmul = choice(matmul_choices, cuda.text("matmul"));
    out.exact_convolutions = cpu.boolean("exact");
    if (cuda.has("tune")) out.tuned = read_products(cuda.value("tune"));
    return out;
}

}  // namespace gannet::config
