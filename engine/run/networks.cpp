#include "engine/run/networks.h"

#include "engine/gan/preflight.h"
#include "engine/run/cli.h"

namespace gannet {

Networks build_networks(const config::GanConfig& config, const SampleShape& image, const Device& given, const Built& built) {
    const Device device = given.on_cpu(Device::best_isa());
    Networks nets;
    nets.push_back(std::make_unique<Network>(Net::generator, config.generator, config.latent.shape(), image, config, device));
    if (built) built(*nets[0]);
    nets.push_back(std::make_unique<Network>(Net::discriminator, config.discriminator, image, image, config, device));
    if (built) built(*nets[1]);
    check_networks(config, *nets[0], *nets[1], image);
    if (const SampleShape made = nets[0]->out(); !(made == image)) nets[1]->also_take(made, config.discriminator, image, config);
    return nets;
}

Networks build_networks(const config::ClassifierConfig& config, const SampleShape& image, const Device& given,
                        const Built& built) {
    const Device device = given.on_cpu(Device::best_isa());
    Networks nets;
    nets.push_back(std::make_unique<Network>(Net::classifier, config.classifier, image, image, config, device));
    if (built) built(*nets[0]);
    return nets;
}

DeclaredImages declared_images(const config::SharedConfig& config) {
    DeclaredImages images;
    const DatasetInfo info = dataset_info(config.data.images, &images.absent);
    images.image = {info.H, info.W, info.C, false};
    images.count = info.count;
    return images;
}

void say_warnings(const config::GanConfig& config, const Network& generator, const Network& discriminator) {
    for (const std::string& line : warnings(config, generator, discriminator)) say("gannet: warning: " + line);
}

std::string note_of(const DeclaredImages& images) {
    return "note: the data were not found: " + images.absent + ". The model file declares images of " + images.image.str();
}

}  // namespace gannet
