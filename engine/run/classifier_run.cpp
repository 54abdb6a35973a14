#include "engine/run/classifier_run.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace gannet {
Dataset test_split(const ClassifierTrainer& trainer) {
    DatasetOptions options = trainer.config().data.images;
    if (options.set == "folder") return {};
    options.split = "test";
    options.first = 0;
    Dataset test = load_dataset(options, trainer.network().device().threads());
    const std::string to_do = "give it the test split of the same data";
    if (test.labels.empty()) throw Error("the test images have no labels", test.source, to_do);
    if (const SampleShape image{test.H, test.W, test.C, false}; !(image == trainer.image()))
        throw Error("the test images are " + image.str() + ", those to train on " + trainer.image().str(), test.source, to_do);
    const int64_t classes = *std::max_element(test.labels.begin(), test.labels.end()) + 1;
    if (classes > trainer.network().out().C)
        throw Error("the test images have " + counted(classes, "label") + ", the classifier has scores of " +
                        std::to_string(trainer.network().out().C),
                    test.source, to_do);
    return test;
}

ClassifierRun::ClassifierRun(ClassifierTrainer& trainer, Dataset test, const RunFolder& folder, const Checkpoint* checkpoint)
    : Run(trainer, folder, checkpoint), trainer_(trainer), test_(std::move(test)) {}

json::Members ClassifierRun::figures() {
    const ClassifierFigures f = trainer_.figures();
    return {{"loss", f.loss}, {"accuracy", f.accuracy}, {"grad_norm", f.grad_norm}};
}

std::string ClassifierRun::brief() {
    const ClassifierFigures f = trainer_.figures();
    char text[96];
    std::snprintf(text, sizeof text, "loss %.4f  accuracy %.3f", f.loss, f.accuracy);
    return text;
}

void ClassifierRun::diagnose(bool last) {
    const int64_t epoch = trainer_.images_per_epoch();
    const bool new_epoch = trainer_.images_seen() / epoch > trainer_.images_before(step() - 1) / epoch;
    if (test_.count == 0 || (!new_epoch && !last)) return;
    double right = 0;
    trainer_.between_steps([&] { right = trainer_.accuracy(test_); });
    log_.write({{"step", step()}, {"test_accuracy", right}});
    char text[96];
    std::snprintf(text, sizeof text, "step %lld: test accuracy %.2f %%", static_cast<long long>(step()), 100 * right);
    say(text);
}

Trace ClassifierRun::new_trace() const {
    Trace trace;
    trace.content.metadata = {{"config", json::dump(config().effective, -1)}, {"order", "c0"}};
    return trace;
}

}  // namespace gannet
