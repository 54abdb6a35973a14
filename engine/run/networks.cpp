#include "engine/run/networks.h"

#include "engine/gan/preflight.h"

namespace gannet {

Networks build_networks(const config::GanConfig& config, const SampleShape& image, const Device& given) {
    const Device device = given.on_cpu(Device::best_isa());
    auto generator = std::make_unique<Network>(Net::generator, config.generator, config.latent.shape(), image, config, device);
    auto discriminator = std::make_unique<Network>(Net::discriminator, config.discriminator, image, image, config, device);
    check_networks(config, *generator, *discriminator, image);
    if (const SampleShape made = generator->out(); !(made == image))
        discriminator->also_take(made, config.discriminator, image, config);
    Networks nets;
    nets.push_back(std::move(generator));
    nets.push_back(std::move(discriminator));
    return nets;
}

Networks build_networks(const config::ClassifierConfig& config, const SampleShape& image, const Device& given) {
    const Device device = given.on_cpu(Device::best_isa());
    Networks nets;
    nets.push_back(std::make_unique<Network>(Net::classifier, config.classifier, image, image, config, device));
    return nets;
}

DeclaredImages declared_images(const config::SharedConfig& config) {
    DeclaredImages images;
    const DatasetInfo info = dataset_info(config.data.images, &images.absent);
    images.image = {info.H, info.W, info.C, false};
    images.count = info.count;
    return images;
}

std::string note_of(const DeclaredImages& images) {
    return "note: the data were not found: " + images.absent + ". The model file declares images of " + images.image.str();
}

}  // namespace gannet
