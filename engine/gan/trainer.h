// Trains a GAN by its configuration. Nothing here knows an architecture: the models differ in JSON only.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/gan/objective.h"
#include "engine/gan/sampler.h"
#include "engine/train/trainer.h"

namespace gannet {

// What is logged of a step; reading it waits for the device.
struct StepLosses {
    double loss_d = 0, loss_g = 0, grad_norm_d = 0, grad_norm_g = 0;
};

class GanTrainer : public Trainer {
public:
    // Builds both networks, checks them against the data, which must outlive the trainer, and initialises the parameters.
    // A step is one cycle of the schedule: critic_steps updates of D and generator_steps of G, in the order of update_order.
    GanTrainer(const config::ModelConfig& config, const Dataset& data, Device device);
    GanTrainer(const config::ModelConfig& config, Dataset&& data, Device device) = delete;  // it would not outlive the trainer

    std::vector<Part> parts() override;
    int64_t images_before(int64_t step) const override;
    StepLosses losses() const;  // of the last updates of the last step

    Network& generator() { return generator_; }
    Network& discriminator() { return discriminator_; }
    const Objective& objective() const { return objective_; }
    // Whether real and fake images pass through the discriminator as one batch in all of its updates; whether its first update
    // takes the fakes' scores from the generator's.
    bool joins_batches() const { return join_batches_ && !share_scores_; }
    bool shares_scores() const { return share_scores_; }

private:
    // One batch of fakes, with the tape if it was recorded.
    struct Fakes {
        Tensor images;
        Tensor latents;
        // The discriminator's, with their tape, where it has not moved since; or empty.
        Tensor scores;
        std::vector<StatisticsUpdate> statistics;  // what its running statistics moved by
    };
    struct Pass;                                     // names, keys and offsets of one batch within an update
    enum Result { of_generator, of_discriminator };  // the losses' places in results_

    void updates(Trace* trace) override;
    void discriminator_update(int index, Trace* trace);
    void generator_update(int index, Trace* trace);
    Fakes make_fakes(const Pass& pass, bool recorded) const;
    Tensor real_batch(const Pass& pass, const Tensor& into) const;
    // Terms of the discriminator's loss, whose gradients they leave in its flat ones or add there. The first: on a real and a
    // fake batch; `joined` is both, where they pass through it as one.
    Tensor add_scores(const Pass& pass, const Tensor& real_images, const Tensor& fake, const Fakes& fakes, const Tensor& joined);
    Tensor add_penalty(const Pass& pass, const Tensor& real_images, const Tensor& fake);
    void add_gradients(const Tensor& term, Network& network, const Tensor& buffer);
    gannet::Pass through(const Pass& pass, Role role) const;
    void backward(const Tensor& loss, Network& network, int batch);

    Objective objective_;
    Network generator_, discriminator_;
    std::unique_ptr<Optimizer> generator_optimizer_, discriminator_optimizer_;
    Tensor ones_of_[2], ones_;                   // the cotangents of G's and D's losses, and of the scores under a penalty
    Tensor fake_gradients_, penalty_gradients_;  // flat, of terms of the discriminator's loss
    Tensor sums_[2];                             // flat, of the first term of all batches of an update but the first
    bool share_scores_ = false, join_batches_ = false;
    std::vector<Fakes> kept_;  // fakes of the first network's updates, for the second (fakes: reuse)
};

}  // namespace gannet
