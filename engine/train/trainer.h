// The common part of all training: a data set, networks with their optimizers, and a position in the endless sequence of images.
// A step is a function of that state alone, so a run resumed from a checkpoint computes the same bits.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/dataset.h"
#include "engine/nn/network.h"
#include "engine/nn/optimizer.h"
#include "engine/tensor/workspace.h"
#include "engine/train/image_feed.h"
#include "engine/train/trace.h"

namespace gannet {

// A key of a data set: extents, a hash of the images and, for a classifier, of their labels.
std::string data_key(const Dataset& data, bool labels);

// The L2 norm of a network's last gradients.
double gradient_norm(const Network& network);

// Returns an error if the device lacks what the section `compute` requests.
std::optional<Error> lacking(const config::SharedConfig& config, const Device& device);

class Trainer {
public:
    // A network and what trains it, in the order of a checkpoint.
    struct Part {
        Network& network;
        Optimizer& optimizer;
    };

    // `data` must outlive the trainer. `labels`: the training uses them too. A step uses at most `most_images` images.
    Trainer(const config::SharedConfig& config, const Dataset& data, bool labels, int64_t most_images, Device device);
    virtual ~Trainer() = default;
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    // With a trace, records everything under "sS.".
    void step(Trace* trace = nullptr);
    const RecordedWork* recorded() const;  // of steps like the next one; null before there is one

    // Does work between two steps in the memory of the steps: everything that it allocates must be freed when it returns.
    void between_steps(const std::function<void()>& work);

    virtual std::vector<Part> parts() = 0;

    int64_t step_count() const { return position_.step; }
    int64_t images_seen() const { return position_.images_seen; }
    // The number of images used by all steps before number `step`.
    virtual int64_t images_before(int64_t step) const = 0;
    // Which of its plans step number `step` follows; steps of one plan do the same work.
    virtual int plan_of(int64_t /*step*/) const { return 0; }
    int64_t images_of(int64_t step) const { return images_before(step + 1) - images_before(step); }
    int64_t images_per_epoch() const { return feed_.images_per_epoch(); }
    void set_position(const Counters& position);

    virtual const config::SharedConfig& config() const = 0;
    SampleShape image() const { return image_; }
    const std::string& data_key() const { return data_key_; }
    // A real batch, images [0, count) of the first epoch's order.
    Tensor reals(int64_t count) const;

protected:
    // Executes all updates of a step with plan number `plan`; returns the values to log. If a device records graphs, this is
    // called only for the first steps of each plan. So it does not get the step's number, which is in `counters_` in device
    // memory.
    virtual std::vector<Tensor> updates(int plan, StepObserver& observer) = 0;
    // The result of the last step; empty before the first.
    const std::vector<Tensor>& results() const { return results_; }

    Device device_;
    Workspace workspace_;  // of the steps
    SampleShape image_;
    DeviceValue<Counters> counters_;
    ImageFeed feed_;

private:
    // A device that records replays whole steps, with one recording per plan. The first step of a plan runs eagerly, the second
    // is recorded. All recordings share the workspace; data that outlive a step are outside of it.
    struct Phase {
        std::optional<Workspace::Demand> demand;  // of the first
        std::unique_ptr<RecordedWork> recorded;
        std::vector<Tensor> results;
    };
    bool records_;  // as the key cuda.graph says
    std::string data_key_;
    Counters position_;
    std::vector<Tensor> results_;
    std::map<int, Phase> phases_;  // by the number of the plan
};

}  // namespace gannet
