#include "engine/classifier/classifier.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/autograd/tape.h"
#include "engine/classifier/trainer.h"

namespace gannet {
namespace {

constexpr int64_t most_at_once = 250;        // images in a batch
constexpr int64_t most_values = 32'000'000;  // in a batch, so that it takes little memory compared with large images

int64_t batch_of(int64_t image_size) { return std::clamp<int64_t>(most_values / image_size, 1, most_at_once); }

// The probability of the largest of `count` scores.
double softmax_of_largest(const real* scores, int64_t count) {
    const real most = *std::max_element(scores, scores + count);
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += std::exp(double(scores[i] - most));
    return 1 / sum;
}

struct LastOutputs : PassObserver {
    void output(const Module&, const Tensor& y) override { before = last, last = y; }
    Tensor last, before;
};

// Reserves memory for the features of all images, which are checked to fit.
void reserve(Predictions& predictions, int64_t images) {
    const double values = double(images) * double(predictions.feature_size);
    const std::string lack = lack_of_memory(values * sizeof(float) + double(images) * 16, free_memory());
    if (!lack.empty())
        throw LackOfMemory("the classifier's features of " + counted(images, "image") + " take " + lack, "classifier",
                           "give the program more memory");
    predictions.features.reserve(std::size_t(values));
}

}  // namespace

Predictions predict(const Network& network, const std::vector<uint8_t>& pixels, double low, double high, Keep keep,
                    const LoadProgress& progress) {
    const Recording off(false);
    const Device& device = network.device();
    const DeviceValue<Counters> start(device);
    const int64_t size = network.in().size(), count = int64_t(pixels.size()) / size;
    Predictions out;
    out.classes = network.out().C;
    const real scale = real((high - low) / 255);
    const int64_t at_once = batch_of(size);
    for (int64_t first = 0; first < count; first += at_once) {
        const int64_t here = std::min(at_once, count - first);
        std::vector<real> values(std::size_t(here * size));
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = real(pixels[std::size_t(first * size) + i]) * scale + real(low);
        LastOutputs outputs;
        const Pass pass{.training = false, .role = Role::data, .counters = start.address(), .observer = &outputs};
        const std::vector<real> scores =
            network.forward({Tensor::from(values, network.in().batch(here), device)}, pass).to_host();
        const std::vector<int64_t> said = largest(scores, out.classes);
        out.labels.insert(out.labels.end(), said.begin(), said.end());
        for (int64_t i = 0; i < here; ++i)
            out.confidence.push_back(softmax_of_largest(&scores[std::size_t(i * out.classes)], out.classes));
        if (progress) progress("reading images", first + here, count);
        if (keep == Keep::labels) continue;
        const std::vector<real> features = outputs.before ? outputs.before.to_host() : values;
        out.feature_size = int64_t(features.size()) / here;
        if (first == 0) reserve(out, count);
        out.features.insert(out.features.end(), features.begin(), features.end());
    }
    return out;
}

Classifier::Classifier(const std::string& path, Device device) {
    const Checkpoint checkpoint = load_checkpoint(find_checkpoint(path));
    file_ = checkpoint.file;
    data_key_ = checkpoint.data;
    config_ = config::classifier_of(config_of(checkpoint), "train one, as in: ./apps/train models/classifier-mnist.json");
    if (const std::optional<Error> lacks = lacking(config_, device))
        warnings_.emplace_back(lacks->with_advice("the classifier computes in fp32").what());
    network_ = std::make_unique<Network>(Net::classifier, config_.classifier, checkpoint.image, checkpoint.image, config_,
                                         device.with(config_.numerics));
    load_state(checkpoint.content, file_, *network_, nullptr);
}

Predictions Classifier::predict(const std::vector<uint8_t>& pixels, const LoadProgress& progress) const {
    return gannet::predict(*network_, pixels, config_.data.black, config_.data.white, Keep::features, progress);
}

}  // namespace gannet
