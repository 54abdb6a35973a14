#include "engine/run/estimate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "data/procedural.h"
#include "engine/gan/preflight.h"
#include "engine/run/networks.h"
#include "engine/run/progress.h"
#include "engine/run/training.h"

namespace gannet {
namespace {

constexpr double long_step = 0.5;         // seconds; longer steps are measured less often
constexpr double program_bytes = 22e6;    // resident before a network is built, with the libraries
constexpr double flops_of_a_step = 4e9;   // of a step with the smaller batch: some hundredths of a second
constexpr double uses_of_a_weight = 256;  // at least, in a pass of the smaller batch; with fewer, half a batch is not faster

// What differs between a GAN and a classifier.

// Of a step with a batch of one.
double step_flops(const config::GanConfig& config, const Networks& nets) {
    const gan::Plan plan = gan::make_plans(config, *nets[0], *nets[1])[0];
    return (flops(*nets[0], plan.work(Net::generator), 1) + flops(*nets[1], plan.work(Net::discriminator), 1)).total();
}
double step_flops(const config::ClassifierConfig&, const Networks& nets) {
    return flops(*nets[0], {.forward = 1, .to_weights = 1}, 1).total();
}

int64_t images_before(const config::GanConfig& config, int64_t step) {
    return gan::images_before(config.objective, config.batch, step);
}
int64_t images_before(const config::ClassifierConfig& config, int64_t step) { return step * config.batch; }

double grid_bytes(const config::GanConfig& config, const Networks& nets, const Device& device) {
    const GridMemory grid = grid_memory(config, *nets.front(), device);
    return device.is_cuda() ? grid.device : grid.host;
}
double grid_bytes(const config::ClassifierConfig&, const Networks&, const Device&) { return 0; }

// Without the longer steps of a critic's warm-up.
config::GanConfig usual(config::GanConfig config) {
    config.objective.warm_up.reset();
    return config;
}
config::ClassifierConfig usual(config::ClassifierConfig config) { return config; }

// Steps with the same memory, but less time.
config::GanConfig shorter(config::GanConfig config) {
    config.objective.critic_steps = 1;
    return config;
}
config::ClassifierConfig shorter(config::ClassifierConfig config) { return config; }

// The smaller of the two batch sizes to time; at least 2, as batch norm needs.
template <class Config>
int64_t small_batch(const Config& config, const Networks& nets) {
    double forward = 0, weights = 0;  // of all networks; forward for an image
    for (const auto& net : nets) {
        forward += flops(*net, {.forward = 1}, 1).total();
        weights += double(net->parameter_count());
    }
    forward = std::max(forward, 1.0);
    const double step = std::max(step_flops(config, nets), 1.0);
    return std::max<int64_t>(2, int64_t(std::max(flops_of_a_step / step, uses_of_a_weight * 2 * weights / forward)));
}

// Images of noise, a batch of them.
Dataset noise(int64_t count, const SampleShape& image, int64_t classes) {
    Dataset data = noise_images(count, image.H, image.W, image.C);
    for (int64_t i = 0; i < count && classes > 0; ++i) data.labels.push_back(uint8_t(i % std::min<int64_t>(classes, 256)));
    return data;
}

// Networks to measure steps with.
class Probe {
public:
    template <class Config>
    Probe(Config config, int64_t batch, const SampleShape& image, int64_t classes, Device device)
        : device_(device), data_(noise(batch, image, classes)) {
        config.batch = batch;
        trainer_ = std::make_unique<TrainerOf<Config>>(config, data_, device);
    }
    double step() {
        return device_.seconds([&] { trainer_->step(); });
    }
    double seconds() {
        double first = 0;
        for (int warm_up = device_.is_cuda() ? 2 : 1; warm_up > 0; --warm_up) first = step();  // a GPU's second step is recorded
        // Other programs can only slow a step down.
        return first > long_step ? std::min(first, step()) : std::min({step(), step(), step()});
    }

private:
    Device device_;
    Dataset data_;
    std::unique_ptr<Trainer> trainer_;
};

std::string megabytes(double bytes) { return formatted(bytes < 1e7 ? "%.1f MB" : "%.0f MB", bytes / 1e6); }

std::string step_text(double seconds) { return seconds < 1 ? formatted("%.3g ms", 1e3 * seconds) : formatted("%.3g s", seconds); }

// The time and memory of a step with the full batch, from measured steps. If the full batch would take long, steps with two
// smaller batches are measured and extrapolated linearly.
struct StepEstimate {
    int64_t small = 0, large = 0;  // the measured batch sizes; both are the full batch if it is small enough
    double seconds = 0;
    double bytes = 0;  // of networks, gradients, optimizers and a step
    double grid = 0;   // bytes of the grid of samples
};

// Trains copies of the networks on random images of this shape, for some tenths of a second.
template <class Config>
StepEstimate estimate_step(const Config& given, const SampleShape& image, Device device) {
    const Config config = usual(given), one_update = shorter(config);
    int64_t classes = 0, small = 0, large_of_memory = 0;
    StepEstimate out;
    {
        const Networks nets = build_networks(config, image, device);
        classes = nets.back()->out().C;
        small = small_batch(config, nets);
        out.grid = grid_bytes(config, nets, device);
        large_of_memory = std::min(config.batch, 2 * small_batch(one_update, nets));
    }
    {
        const MemoryStats before = device.memory();
        Probe probe(one_update, large_of_memory, image, classes, device);
        const auto networks = double(device.memory().live_bytes - before.live_bytes);
        probe.step();
        const auto all = double(device.memory().held_bytes - before.live_bytes);
        out.bytes = networks + (all - networks) * double(config.batch) / double(large_of_memory);
    }
    const auto seconds = [&](int64_t batch) { return Probe(config, batch, image, classes, device).seconds(); };
    if (2 * small >= config.batch) {
        out.small = out.large = config.batch;
        out.seconds = seconds(config.batch);
    } else {
        out.small = small, out.large = 2 * small;
        const double at_small = seconds(small), at_large = seconds(2 * small);
        out.seconds = at_large + double(config.batch - 2 * small) / double(small) * std::max(at_large - at_small, 0.0);
    }
    return out;
}

// The number of steps of a configuration with `images` images; 0 if it depends on the number of images and that is unknown (0).
template <class Config>
int64_t planned_steps(const Config& config, int64_t images) {
    if (config.steps > 0 || images == 0) return config.steps;
    return steps_in_epochs(config, images / config.batch * config.batch,
                           [&](int64_t step) { return images_before(config, step); });
}

template <class Config>
std::string estimate(const Config& config, const SampleShape& image, int64_t images, Device device) {
    const double program = device.is_cuda() ? 0 : program_bytes;
    StepEstimate step;
    try {
        if (const std::optional<Error> lacks = lacking(config, device)) throw Error(*lacks);
        step = estimate_step(config, image, device);
    } catch (const Error& error) {  // the rest of the summary does not need it
        return "no estimate of time and memory: " + std::string(error.what()) + "\n";
    } catch (const std::bad_alloc&) {
        return "no estimate of time and memory: not enough memory to measure a step\n";
    }
    const int64_t steps = planned_steps(config, images);
    std::string time = step_text(step.seconds) + " a step";
    if (steps > 0) {
        // a critic's warm-up makes some steps longer
        const double usual_steps = double(images_before(config, steps)) / double(images_before(usual(config), 1));
        time = "about " + duration_text(std::max(1.0, usual_steps * step.seconds)) + ": " + counted(steps, "step") + " of " +
               step_text(step.seconds);
    }
    const std::string batches = step.small == step.large ? "the full batch of " + grouped(step.large)
                                                         : "batches of " + grouped(step.small) + " and " + grouped(step.large) +
                                                               " for one of " + grouped(config.batch);
    const std::string threads = device.is_cuda() ? "" : ", " + counted(device.threads().size(), "thread");
    std::string text = "training time: " + time + " on this machine (" + device.name() + threads +
                       "); estimated from steps with " + batches + ", measured just now; without loading, samples and plots\n";
    const double data = double(images) * double(image.size());
    text += "training memory: about " + megabytes(program + step.bytes + step.grid + data) + ": ";
    if (program > 0) text += megabytes(program) + " for the program, ";
    text += megabytes(step.bytes) + " for networks, optimizers and a step";
    if (step.grid > 0) text += ", " + megabytes(step.grid) + " for the grid of samples";
    text += images > 0 ? ", " + megabytes(data) + " for " + counted(images, "image")
                       : "; without the images, whose number is unknown";
    return text + (steps == 0 ? "\nthe number of steps depends on the number of images, which is unknown\n" : "\n");
}

}  // namespace

std::string estimate_text(const config::GanConfig& config, const SampleShape& image, int64_t images, Device device) {
    return estimate(config, image, images, device);
}

std::string estimate_text(const config::ClassifierConfig& config, const SampleShape& image, int64_t images, Device device) {
    return estimate(config, image, images, device);
}

}  // namespace gannet
