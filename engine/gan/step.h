// Executes the plan of one step of a GAN's training: each update scores batches, adds the gradients of the loss terms and updates
// the weights of one network (Algorithm 1 of arXiv 1406.2661; with the penalty, of arXiv 1704.00028). It does not know the number
// of the step: everything that depends on it is in the plan or is read from `counters` in device memory. So a captured CUDA graph
// can be replayed for any step.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/gan/plan.h"
#include "engine/train/image_feed.h"
#include "engine/train/step_observer.h"

namespace gannet::gan {

// The sum of the gradients of the loss terms, in the network's flat gradients. The first term of an update is written there. Each
// further term is written to its own buffer and added in one launch; the tape would need one per parameter.
class GradientSum {
public:
    GradientSum(Network& network, Device device) : network_(network), device_(device) {}
    // Terms of an update: the scores of (real) images, of fakes, the penalty. Term 0 comes first.
    static constexpr int scores = 0, fakes = 1, penalty = 2;
    // Allocate the buffer of an added term, and a weight, outside of recordings.
    void reserve(int term);
    void reserve_weight(real weight);
    // Begins an update: each term's gradient is multiplied by `weight`.
    void begin(real weight);
    void add(int term, const Tensor& loss);

private:
    Network& network_;
    Device device_;
    std::map<real, Tensor> weights_;
    Tensor weight_;      // the cotangent of a loss
    Tensor buffers_[3];  // flat, one per term; parameters that the term does not depend on stay zero
    bool empty_ = true;
};

class Step {
public:
    struct Nets {
        Network &generator, &discriminator;
        Optimizer &generator_optimizer, &discriminator_optimizer;
    };
    // All arguments except the plans must outlive the step. It allocates the buffers that the plans need.
    Step(const config::GanConfig& config, const Nets& nets, const ImageFeed& feed, DeviceAddress<Counters> counters,
         const std::vector<Plan>& plans, Hooks hooks, Device device);

    // Returns the losses of the last update of the discriminator and of the last one of the generator.
    std::vector<Tensor> run(const Plan& plan, StepObserver& observer);

private:
    // A batch of fakes, with the tape if it was recorded.
    struct Fakes {
        Tensor latents, images;
        Tensor scores;                      // the discriminator's with their tape, where they are shared
        std::vector<BufferUpdate> updates;  // of its buffers, by these scores
    };
    struct CurrentBatch;  // of the batch that is being computed

    Tensor discriminator_update(const Update& update, StepObserver& observer);
    Tensor generator_update(const Update& update, StepObserver& observer);
    Tensor score(const CurrentBatch& at, const Tensor& real_images, const Fakes& fakes, const Tensor& joined);
    Tensor penalise(const CurrentBatch& at, const Tensor& real_images, const Tensor& fake);
    void finish(const Update& update, Network& network, Optimizer& optimizer, StepObserver& observer);

    Fakes fakes_of(const CurrentBatch& at, bool recorded);
    Tensor reals(const CurrentBatch& at, const Tensor& into = {}) const;
    Tensor real_scores(const CurrentBatch& at) const;
    Tensor scores_of(const Tensor& images, const CurrentBatch& at, Role role) const;
    Pass pass(const CurrentBatch& at, Role role) const;
    RandomSource source(const CurrentBatch& at, uint32_t stream) const;

    const config::GanConfig& config_;
    Nets nets_;
    const ImageFeed& feed_;
    DeviceAddress<Counters> counters_;
    Hooks hooks_;
    Device device_;
    int64_t batch_;
    GradientSum generator_gradients_, discriminator_gradients_;
    Tensor ones_;  // the cotangent of the scores under a penalty
    std::vector<Fakes> stored_fakes_;
};

}  // namespace gannet::gan
