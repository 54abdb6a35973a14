// The networks of a model file, built and checked before any image is read.
#pragma once
#include <memory>
#include <string>

#include "data/dataset.h"
#include "engine/model/model.h"
#include "engine/nn/network.h"

namespace gannet {

struct Networks {
    std::unique_ptr<Network> generator, discriminator;  // of a GAN
    std::unique_ptr<Network> classifier;                // or this
};

// On the CPU. Throws Error where they do not fit each other or images of this shape. Parameters have no values.
Networks build_networks(const config::ModelConfig& config, const SampleShape& image);

// What is known of the images before they are read. Where they are not there, `absent` says why, and the shape is the one that
// the model file declares; Error where it declares none.
struct DeclaredImages {
    SampleShape image;
    int64_t count = 0;  // 0: not known
    std::string absent;
};
DeclaredImages declared_images(const config::ModelConfig& config);

// "note: ..." for a user; of images that are not there.
std::string note_of(const DeclaredImages& images);

// For a training, before it reads the images: throws Error where networks do not fit them, or a step does not fit in the device's
// memory. Nothing is checked or returned where the shape of the images is not known without reading them.
DeclaredImages check_before_data(const config::ModelConfig& config, Device device);

}  // namespace gannet
