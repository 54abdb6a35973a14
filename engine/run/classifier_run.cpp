// A run of a classifier: also reports the accuracy on the test split after every epoch.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "engine/run/run.h"

namespace gannet {
namespace {

class ClassifierRun : public Run {
public:
    // `test` may be empty: then no accuracy is reported.
    ClassifierRun(ClassifierTrainer& trainer, Dataset test, const RunFolder& folder, const Checkpoint* checkpoint)
        : Run(trainer, folder, checkpoint), trainer_(trainer), test_(std::move(test)) {}

private:
    json::Members figures() override {
        const ClassifierFigures f = trainer_.figures();
        return {{"loss", f.loss}, {"accuracy", f.accuracy}, {"grad_norm", f.grad_norm}};
    }

    std::string brief() override {
        const ClassifierFigures f = trainer_.figures();
        return formatted("loss %.4f  accuracy %.3f", f.loss, f.accuracy);
    }

    void diagnose(bool last) override {
        const int64_t epoch = trainer_.images_per_epoch();
        const bool new_epoch = trainer_.images_seen() / epoch > trainer_.images_before(step() - 1) / epoch;
        if (test_.count == 0 || (!new_epoch && !last)) return;
        double right = 0;
        trainer_.between_steps([&] { right = trainer_.accuracy(test_); });
        log_.write({{"step", step()}, {"test_accuracy", right}});
        say(formatted("step %lld: test accuracy %.2f %%", static_cast<long long>(step()), 100 * right));
    }

    Trace new_trace() const override {
        Trace trace;
        trace.content.metadata = {{"config", json::dump(config().effective, -1)}, {"order", "c0"}};
        return trace;
    }

    ClassifierTrainer& trainer_;
    Dataset test_;
};

}  // namespace

Dataset test_split(const ClassifierTrainer& trainer) {
    DatasetOptions options = trainer.config().data.images;
    if (options.of_files()) return {};
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

std::unique_ptr<Run> make_run(ClassifierTrainer& trainer, Dataset test, const RunFolder& folder, const Checkpoint* checkpoint) {
    return std::make_unique<ClassifierRun>(trainer, std::move(test), folder, checkpoint);
}

}  // namespace gannet
