// Draws samples with a generator.
#pragma once
#include "engine/model/model.h"
#include "engine/nn/network.h"
#include "engine/train/checkpoint.h"

namespace gannet {

// `count` latent points (count, Z) of the distribution that the configuration names; `first` is the number of the first one.
Tensor draw_latents(const config::GanConfig& config, const RandomSource& from, int64_t first, int64_t count, Device device);

// The generator of a GAN's checkpoint.
std::unique_ptr<Network> load_generator(const Checkpoint& checkpoint, const config::GanConfig& config, const Device& device);

// Samples are drawn in batches of this size: with batch statistics, a sample depends on its batch.
inline constexpr int64_t sample_batch = 100;

// Draws samples with a generator, by the configuration's latent distribution and statistics. Both must outlive it.
class Sampler {
public:
    Sampler(const config::GanConfig& config, const Network& generator) : config_(config), generator_(generator) {}
    // `count` latent points (count, Z) starting at `first`: pure functions of the seed.
    Tensor latents(uint64_t seed, int64_t first, int64_t count) const;
    // Images of latent points. `batch_statistics` normalises with the batch's own statistics instead of the running ones.
    Tensor images(const Tensor& latents, bool batch_statistics) const;
    Tensor images(const Tensor& latents) const;  // the key samples.statistics
    // The same as bytes. Throws Error, naming the checkpoint `file`, if a value is not finite.
    std::vector<uint8_t> drawn(const Tensor& latents, const std::string& file) const;

private:
    const config::GanConfig& config_;
    const Network& generator_;
};

// round(255 * (value - low) / (high - low)), clamped: the same mapping for every image, so that low contrast is visible. NaN
// becomes 0.
std::vector<uint8_t> to_bytes(const std::vector<real>& values, double low, double high);

}  // namespace gannet
