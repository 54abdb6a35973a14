#include "engine/run/classifier_run.h"

#include "engine/run/training.h"

namespace gannet {
namespace {

// Empty where the data set is a folder, which has none.
Dataset test_split(const config::ModelConfig& config) {
    if (config.data.text("set") == "folder") return {};
    DatasetOptions options = dataset_options(config.data);
    options.split = "test";
    options.first = 0;
    return load_dataset(options);
}

}  // namespace

ClassifierRun::ClassifierRun(ClassifierTrainer& trainer, const RunFolder& folder, const Checkpoint* checkpoint)
    : Run(trainer, folder, checkpoint), trainer_(trainer), test_(test_split(trainer.config())) {}

config::Members ClassifierRun::figures() {
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
    std::snprintf(text, sizeof text, "step %lld: %.2f %% of the test images right", static_cast<long long>(step()), 100 * right);
    say(text);
}

Trace ClassifierRun::new_trace() const {
    Trace trace;
    trace.content.metadata = {{"config", config::dump_json(config().effective, -1)}, {"order", "c0"}};
    return trace;
}

}  // namespace gannet
