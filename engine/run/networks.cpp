#include "engine/run/networks.h"

#include "engine/gan/preflight.h"
#include "engine/model/dataset_options.h"

namespace gannet {

Networks build_networks(const config::ModelConfig& config, const SampleShape& image) {
    const Device device = Device::cpu();
    Networks nets;
    if (config.is_classifier()) {
        nets.classifier = std::make_unique<Network>(Net::classifier, config.classifier, image, image, config, device);
        return nets;
    }
    const SampleShape latent{1, 1, config.latent.integer("size"), true};
    nets.generator = std::make_unique<Network>(Net::generator, config.generator, latent, image, config, device);
    nets.discriminator = std::make_unique<Network>(Net::discriminator, config.discriminator, image, image, config, device);
    check_networks(config, *nets.generator, *nets.discriminator, image);
    if (const SampleShape made = nets.generator->out(); !(made == image))
        nets.discriminator->also_take(made, config.discriminator, image, config);
    return nets;
}

DeclaredImages declared_images(const config::ModelConfig& config) {
    DeclaredImages images;
    const DatasetInfo info = dataset_info(dataset_options(config.data), &images.absent);
    images.image = {info.H, info.W, info.C, false};
    images.count = info.count;
    return images;
}

std::string note_of(const DeclaredImages& images) {
    return "note: the data are not there (" + images.absent + "): the model file declares images of " + images.image.str();
}

DeclaredImages check_before_data(const config::ModelConfig& config, Device device) {
    const DatasetOptions options = dataset_options(config.data);
    if (options.set == "folder" && options.size == 0 && options.crop == 0) return {};
    DeclaredImages images = declared_images(config);
    const Networks nets = build_networks(config, images.image);
    if (nets.generator) check_memory(config, *nets.generator, *nets.discriminator, device);
    return images;
}

}  // namespace gannet
