#include "engine/classifier/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "engine/classifier/classifier.h"
#include "kernels/place.h"

namespace gannet {
namespace {

const Dataset& with_labels(const Dataset& data) {
    if (data.labels.empty())
        throw Error("the data set '" + data.name + "' has no labels" + (data.no_labels.empty() ? "" : ": " + data.no_labels),
                    data.source, "a classifier needs them: give each class a folder of its images, or choose another set");
    return data;
}

void check_scores(const config::ClassifierConfig& config, const Network& network, const Dataset& data) {
    const int64_t classes = *std::max_element(data.labels.begin(), data.labels.end()) + 1;
    const std::string where = config.classifier.back().keys.where();
    if (!network.out().vector || network.out().C < classes)
        throw Error("the classifier ends in " + network.out().str() + ", but the data have " + counted(classes, "label"), where,
                    "end it in {\"layer\": \"linear\", \"units\": " + std::to_string(classes) + "}");
    if (config.classifier.back().kind->traits.family != Family::product)
        throw Error(
            "the classifier ends in '" + config.classifier.back().kind->spec.name + "': its scores have a softmax of their own",
            where, "end it in linear");
}

}  // namespace

std::vector<int64_t> largest(const std::vector<real>& rows, int64_t cols) {
    std::vector<int64_t> out;
    for (auto row = rows.begin(); row != rows.end(); row += cols) out.push_back(std::max_element(row, row + cols) - row);
    return out;
}

ClassifierTrainer::ClassifierTrainer(const config::ClassifierConfig& config, const Dataset& data, Device device, Hooks hooks)
    : Trainer(config, with_labels(data), true, config.batch, device),
      config_(config),
      network_(Net::classifier, config.classifier, image_, image_, config_, device_),
      hooks_(std::move(hooks)) {
    check_scores(config_, network_, data);
    network_.initialise(config.seed);
    optimizer_ = std::make_unique<Optimizer>(config.optimizer, network_);
    one_ = Tensor::full({}, 1, device_);
}

std::vector<Tensor> ClassifierTrainer::updates(int, StepObserver& observer) {
    const Range range("classifier update");
    optimizer_->begin();
    const Tensor images = feed_.batch(0, config_.batch, counters_.address()),
                 labels = feed_.labels(0, config_.batch, counters_.address());
    const Pass pass{
        .role = Role::data, .seed = config_.seed, .counters = counters_.address(), .observer = observer.passes("c0.")};
    const Tensor scores = network_.forward({images}, pass), loss = cross_entropy(scores, labels);
    grad({loss}, network_.values(), {one_}, {.create_graph = false, .into = network_.gradients()});
    observer.images("c0.real", images, image_);
    observer.values("c0.labels", labels);
    observer.values("c0.loss", loss);
    finish_update("c0.", network_, *optimizer_, hooks_, observer);
    return {loss.detach(), scores.detach(), labels};
}

ClassifierFigures ClassifierTrainer::figures() const {
    if (results().empty()) return {NAN, NAN, NAN};
    const std::vector<int64_t> said = largest(results()[of_scores].to_host(), network_.out().C);
    const std::vector<real> labels = results()[of_labels].to_host();
    int64_t right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) right += said[i] == int64_t(labels[i]) ? 1 : 0;
    return {double(results()[of_loss].item()), double(right) / double(labels.size()), gradient_norm(network_)};
}

double ClassifierTrainer::accuracy(const Dataset& data) const {
    const Predictions predictions = predict(network_, data.pixels, config_.data.black, config_.data.white, Keep::labels);
    int64_t right = 0;
    for (std::size_t i = 0; i < data.labels.size(); ++i) right += predictions.labels[i] == data.labels[i] ? 1 : 0;
    return double(right) / double(data.count);
}

}  // namespace gannet
