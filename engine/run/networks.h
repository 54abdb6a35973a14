// The differences between a GAN and a classifier before training: the networks of a model file, built and checked before any
// image is read, and their trainers.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "data/dataset.h"
#include "engine/classifier/trainer.h"
#include "engine/gan/trainer.h"

namespace gannet {

// The generator and the discriminator, or the classifier.
using Networks = std::vector<std::unique_ptr<Network>>;

// Builds the networks in the memory of the host, with the threads of `device`, and passes each to `built`. Throws Error if they
// do not fit each other or images of this shape. The values of the parameters are not initialised.
using Built = std::function<void(const Network&)>;
Networks build_networks(const config::GanConfig& config, const SampleShape& image, const Device& device, const Built& built = {});
Networks build_networks(const config::ClassifierConfig& config, const SampleShape& image, const Device& device,
                        const Built& built = {});
template <class Config>
constexpr bool is_gan = std::is_same_v<Config, config::GanConfig>;
template <class Config>
using TrainerOf = std::conditional_t<is_gan<Config>, GanTrainer, ClassifierTrainer>;

// The properties of the images before they are read. If the images are missing, `absent` has the reason, and the shape is the one
// in the model file; throws Error if it has none.
struct DeclaredImages {
    SampleShape image;
    int64_t count = 0;  // 0: not known
    std::string absent;
};
DeclaredImages declared_images(const config::SharedConfig& config);

// Prints warnings about probable mistakes.
void say_warnings(const config::GanConfig& config, const Network& generator, const Network& discriminator);

// "note: ..." for the user, if the images are missing.
std::string note_of(const DeclaredImages& images);

}  // namespace gannet
