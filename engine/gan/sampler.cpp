#include "engine/gan/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace gannet {

Tensor draw_latents(const config::GanConfig& config, const RandomSource& from, int64_t first, int64_t count, Device device) {
    const Shape shape{count, config.latent.size};
    if (config.latent.distribution == config::LatentConfig::Distribution::uniform)
        return uniform(shape, from, first, -1, 1, device);
    return normal(shape, from, first, 0, 1, device);
}

std::unique_ptr<Network> load_generator(const Checkpoint& checkpoint, const config::GanConfig& config, const Device& device) {
    auto generator =
        std::make_unique<Network>(Net::generator, config.generator, config.latent.shape(), checkpoint.image, config, device);
    load_state(checkpoint.content, checkpoint.file, *generator, nullptr);
    return generator;
}

Tensor Sampler::latents(uint64_t seed, int64_t first, int64_t count) const {
    const Device device = generator_.device();
    const DeviceValue<Counters> start(device);
    return draw_latents(config_, {start.address(), {seed, streams::sample_grid, 0}}, first, count, device);
}

Tensor Sampler::images(const Tensor& latents, bool batch_statistics) const {
    const Recording off(false);
    const DeviceValue<Counters> start(latents.device());
    return generator_.forward({latents}, {.training = batch_statistics,
                                          .update_buffers = false,
                                          .role = Role::fake,
                                          .update = no_update_number,
                                          .seed = config_.seed,
                                          .counters = start.address()});
}

Tensor Sampler::images(const Tensor& latents) const { return images(latents, config_.samples.batch_statistics); }

std::vector<uint8_t> Sampler::drawn(const Tensor& latents, const std::string& file) const {
    const std::vector<real> values = images(latents).to_host();
    if (!all_finite(values.data(), values.size()))
        throw Error("the generator draws values that are not finite", file,
                    "the training has diverged: use an earlier checkpoint, or train again with a lower learning rate");
    return to_bytes(values, config_.data.black, config_.data.white);
}

std::vector<uint8_t> to_bytes(const std::vector<real>& values, double low, double high) {
    std::vector<uint8_t> bytes(values.size());
    const double scale = 255 / (high - low);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const double v = (double(values[i]) - low) * scale;
        bytes[i] = v > 0 ? uint8_t(std::lround(std::min(v, 255.0))) : uint8_t(0);  // false for NaN
    }
    return bytes;
}

}  // namespace gannet
