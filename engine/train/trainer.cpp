#include "engine/train/trainer.h"

#include "base/format.h"
#include "data/hash.h"
#include "engine/model/choices.h"
#include "kernels/place.h"

namespace gannet {
namespace {

std::string hash_of(const std::vector<uint8_t>& bytes) {
    Hash hash;
    hash.add(bytes);
    return formatted("%016llx", static_cast<unsigned long long>(hash.value()));
}

}  // namespace

std::string data_key(const Dataset& data, bool labels) {
    return std::to_string(data.count) + " of " + SampleShape{data.H, data.W, data.C, false}.str() + ", " + hash_of(data.pixels) +
           (labels ? ", labels " + hash_of(data.labels) : "");
}

double gradient_norm(const Network& network) {
    const Tensor norm = Tensor::empty({}, network.device()), &g = network.flat_gradients();
    RUN(network.device(), norm2, norm.data(), g.data(), g.size());
    return double(norm.item());
}

std::optional<Error> lacking(const config::SharedConfig& config, const Device& device) {
    const auto lacks = [&](const std::string& key, const std::string& value, const std::string& to_do) {
        return Error(key + " " + value + " is not available on " + device.name(), config.where(key), to_do);
    };
    const bool tensor_cores = device.is_cuda() && device.stream()->capability >= 80;
    if (config.numerics.precision != Precision::fp32 && !tensor_cores)
        return lacks("compute.precision", config::word_of(config::precisions, config.numerics.precision),
                     "use fp32, or a GPU of sm_80 or later");
    if (config.storage != config::Storage::fp32)
        return lacks("compute.storage", config::word_of(config::storages, config.storage), "use fp32");
    return std::nullopt;
}

Trainer::Trainer(const config::SharedConfig& config, const Dataset& data, bool labels, int64_t most_images, Device device)
    : device_(device.with(config.numerics)),
      workspace_(device_),
      image_{data.H, data.W, data.C, false},
      counters_(device_),
      feed_(config, data, most_images, device_),
      records_(config.cuda.graph),
      data_key_(gannet::data_key(data, labels)) {}

void Trainer::set_position(const Counters& position) {
    position_ = position;
    counters_.set(position);
}

const RecordedWork* Trainer::recorded() const {
    const auto phase = phases_.find(plan_of(position_.step));
    return phase == phases_.end() ? nullptr : phase->second.recorded.get();
}

Tensor Trainer::reals(int64_t count) const { return feed_.first(count); }

void Trainer::between_steps(const std::function<void()>& work) {
    if (records_) workspace_.run(work);
    else work();
}

void Trainer::step(Trace* trace) {
    const Range range("step");
    const auto state = [&](const std::string& prefix) {
        for (const Part& part : parts()) trace->state(prefix, part.network, part.optimizer);
    };
    if (trace && trace->content.arrays.empty()) state("init.");
    if (trace) trace->begin_step(position_.step);
    const int64_t images = images_of(position_.step);
    feed_.prepare(position_.images_seen, images, images_of(position_.step + 1));
    const int plan = plan_of(position_.step);
    Phase& phase = phases_[plan];
    StepObserver nobody;
    const auto work = [&] {
        results_ = updates(plan, trace ? *trace : nobody);
        RUN(device_, advance_update, counters_.data(), images);
        for (const Tensor& result : results_) workspace_.keep(result);
    };
    results_.clear();  // the results of the last step; frees their memory
    if (records_ && !trace && phase.demand && !phase.recorded) {
        phase.recorded = workspace_.record(work, *phase.demand);
        if (phase.recorded) phase.results = results_;
    }
    if (phase.recorded && !trace) {
        phase.recorded->replay();
        results_ = phase.results;
    } else if (records_) {
        phase.demand = workspace_.run(work);
    } else {
        work();
    }
    position_.step += 1;
    position_.images_seen += images;
    if (trace) state("after.");
}

}  // namespace gannet
