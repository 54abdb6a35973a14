// Classifiers: model files, training, checkpoints, predictions.
#include <doctest/doctest.h>

#include "base/files.h"
#include "engine/classifier/classifier.h"
#include "engine/classifier/trainer.h"
#include "engine/gan/trainer.h"
#include "engine/train/checkpoint.h"
#include "tests/temporary.h"
#include "tests/training_cases.h"

using namespace gannet;
using namespace gannet::tests;

namespace {

std::string message_of(const std::vector<std::string>& settings) {
    return error_of([&] { ClassifierTrainer(small_classifier(settings), few_images(), Device::cpu()); });
}

}  // namespace

TEST_CASE("classifier: memorises a hundred digits, and a resumed run computes the same bits") {
    const TemporaryFolder folder;
    const config::ClassifierConfig config = small_classifier({"optimizer.lr=3e-3"});
    ClassifierTrainer trainer(config, few_images(), Device::cpu());
    const double before = trainer.accuracy(few_images());
    for (int i = 0; i < 30; ++i) trainer.step();
    write_safetensors(folder / "half.safetensors", checkpoint_of(trainer, {}));
    for (int i = 0; i < 30; ++i) trainer.step();
    write_safetensors(folder / "whole.safetensors", checkpoint_of(trainer, {}));
    CHECK(before < 0.4);
    CHECK(trainer.accuracy(few_images()) > 0.95);
    CHECK(trainer.figures().loss < 0.3);

    ClassifierTrainer resumed(config, few_images(), Device::cpu());
    restore(load_checkpoint(folder / "half.safetensors"), resumed);
    for (int i = 0; i < 30; ++i) resumed.step();
    write_safetensors(folder / "resumed.safetensors", checkpoint_of(resumed, {}));
    CHECK(read_file(folder / "whole.safetensors") == read_file(folder / "resumed.safetensors"));

    const Classifier reader(folder / "whole.safetensors", Device::cpu());
    const Predictions predictions = reader.predict(few_images().pixels);
    int right = 0;
    for (std::size_t i = 0; i < 100; ++i) {
        right += predictions.labels[i] == few_images().labels[i] ? 1 : 0;
        CHECK(predictions.confidence[i] >= 0.1);
        CHECK(predictions.confidence[i] <= 1);
    }
    CHECK(right == doctest::Approx(100 * trainer.accuracy(few_images())));
    CHECK(predictions.feature_size == 16);
    CHECK(predictions.features.size() == 1600);
    CHECK(predictions.classes == 10);
}

TEST_CASE("classifier: features are the inputs of the last layer") {
    const TemporaryFolder folder;
    const config::ClassifierConfig config = small_classifier();
    ClassifierTrainer trainer(config, few_images(), Device::cpu());
    const Predictions predictions = predict(trainer.network(), few_images().pixels, -1, 1);
    const std::vector<real> w = trainer.network().values()[6].to_host(), b = trainer.network().values()[7].to_host();
    for (std::size_t image = 0; image < 100; ++image) {
        std::size_t best = 0;
        double most = -1e9;
        for (std::size_t k = 0; k < 10; ++k) {
            double score = double(b[k]);
            for (std::size_t j = 0; j < 16; ++j) score += double(w[k * 16 + j]) * double(predictions.features[image * 16 + j]);
            if (score > most) most = score, best = k;
        }
        CHECK(std::size_t(predictions.labels[image]) == best);
    }
}

TEST_CASE("classifier: an error names the key that does not fit a classifier") {
    CHECK(has(message_of({"classifier.7.units=9"}), "the data have 10 labels"));
    CHECK(has(message_of({"classifier.7={\"layer\": \"relu\"}"}), "softmax of their own"));
    CHECK(has(message_of({"optimizer.generator.lr=1"}), "a classifier has no generator"));
    CHECK(has(message_of({"objective.loss=bce"}), "unknown key 'objective'"));
    CHECK(has(message_of({"classifier=[]"}), "an empty list"));
    CHECK(has(error_of([] {
                  Dataset unknown = few_images();
                  unknown.labels.clear();
                  ClassifierTrainer(small_classifier(), unknown, Device::cpu());
              }),
              "has no labels"));
    CHECK(
        has(error_of([] { config::load_model("models/vanilla.json", {"classifier=[{\"layer\": \"relu\"}]"}); }), "unknown key"));
}

TEST_CASE("classifier: a GAN's checkpoint is refused") {
    const TemporaryFolder folder;
    const config::GanConfig config = small_config("vanilla");
    GanTrainer trainer(config, few_images(), Device::cpu());
    write_safetensors(folder / "gan.safetensors", checkpoint_of(trainer, {}));
    CHECK(has(error_of([&] { Classifier(folder / "gan.safetensors", Device::cpu()); }), "this is a GAN, not a classifier"));
}
