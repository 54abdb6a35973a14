// Trains a GAN by its configuration. Nothing here knows an architecture: the models differ in JSON only.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/gan/image_feed.h"
#include "engine/gan/objective.h"
#include "engine/gan/trace.h"
#include "engine/network/network.h"
#include "engine/optimizers/optimizer.h"

namespace gannet {

// A generator, made by configuration, that draws samples.
class Sampler {
public:
    Sampler(const config::ModelConfig& config, const Network& generator) : config_(config), generator_(generator) {}
    // `count` latent points (count, Z) from `first` on: pure functions of the seed.
    Tensor latents(uint64_t seed, int64_t first, int64_t count) const;
    // Images of latent points. `batch_statistics` normalises with the batch's own statistics instead of the running ones.
    Tensor images(const Tensor& latents, bool batch_statistics) const;
    Tensor images(const Tensor& latents) const;  // as the key samples.statistics says

private:
    const config::ModelConfig& config_;
    const Network& generator_;
};

// What is logged of a step; reading it waits for the device.
struct StepLosses {
    double loss_d = 0, loss_g = 0, grad_norm_d = 0, grad_norm_g = 0;
};

class GanTrainer {
public:
    // Builds both networks, checks them against the data, which must outlive the trainer, and initialises the parameters.
    GanTrainer(const config::ModelConfig& config, const Dataset& data, Device device);

    // One cycle of the schedule: critic_steps updates of D and generator_steps of G, in the order of update_order.
    // With a trace, everything is recorded under "sS.".
    void step(Trace* trace = nullptr);
    StepLosses losses() const;                                        // of the last updates of the last step
    const RecordedWork* recorded() const { return recorded_.get(); }  // null before there is one

    int64_t step_count() const { return position_.step; }
    int64_t images_seen() const { return position_.images_seen; }
    int64_t images_per_step() const {
        return int64_t(objective_.critic_steps) * objective_.discriminator_batches * config_.batch;
    }
    int64_t images_per_epoch() const { return feed_.images_per_epoch(); }
    void set_position(const Counters& position);

    Network& generator() { return generator_; }
    Network& discriminator() { return discriminator_; }
    Optimizer& generator_optimizer() { return *generator_optimizer_; }
    Optimizer& discriminator_optimizer() { return *discriminator_optimizer_; }
    const Objective& objective() const { return objective_; }
    SampleShape image() const { return image_; }
    // Tells this data set from others: extents and a hash of the images.
    const std::string& data_key() const { return data_key_; }
    // A real batch, images [first, first + count) of the epoch's order: for reals.png.
    Tensor reals(int64_t count) const;

private:
    // One batch of fakes, with the tape if it was recorded.
    struct Fakes {
        Tensor images;
        Tensor latents;
        // The discriminator's, with their tape, where it has not moved since; or empty.
        Tensor scores;
        std::vector<StatisticsUpdate> statistics;  // what its running statistics moved by
    };
    struct Pass;  // names, keys and offsets of one batch within an update

    void updates(Trace* trace);
    void discriminator_update(int index, Trace* trace);
    void generator_update(int index, Trace* trace);
    Fakes make_fakes(const Pass& pass, bool recorded) const;
    Tensor real_batch(const Pass& pass) const;
    Tensor penalty(const Pass& pass, const Tensor& real_images, const Tensor& fake) const;
    Context context(const Pass& pass, Net net, Role role) const;
    void backward(const Tensor& loss, Network& network, int batch, int batches);

    config::ModelConfig config_;
    Device device_;
    SampleShape image_;
    Objective objective_;
    Network generator_, discriminator_;
    std::unique_ptr<Optimizer> generator_optimizer_, discriminator_optimizer_;
    Tensor one_, ones_;  // the cotangents of a loss, and of the scores under a penalty
    Tensor sums_[2];     // accumulated gradients of G and D, where batches are accumulated
    DeviceValue<Counters> counters_;
    Counters position_;
    ImageFeed feed_;
    bool share_scores_ = false;
    std::string data_key_;
    std::vector<Fakes> kept_;  // fakes of the first network's updates, for the second (fakes: reuse)
    Tensor loss_[2];
    // A device that records replays whole steps, from the third on: the first runs as it is and fills the pool.
    std::unique_ptr<RecordedWork> recorded_;
    Tensor recorded_loss_[2];
    bool warm_ = false;
};

}  // namespace gannet
