// The parameter counts of the models.
#include <doctest/doctest.h>

#include "engine/model/model.h"
#include "engine/nn/module.h"

using namespace gannet;
using namespace gannet::config;

namespace {

// Counts the values of a network: trainable parameters and batch norm statistics.
struct Count {
    int64_t trainable = 0, statistics = 0;
};
Count count(const std::vector<LayerConfig>& layers, int64_t H, int64_t W, int64_t C, int64_t image_H, int64_t image_W,
            int64_t image_C) {
    Count sum;
    for (const LayerConfig& layer : layers) {
        const Object& k = layer.keys;
        if (layer.kind->spec.name == "linear") {
            const int64_t out = k.is_image("units") ? image_H * image_W * image_C : k.integer("units");
            sum.trainable += C * out + (k.boolean("bias") ? out : 0);
            C = out;
        } else if (layer.kind->spec.name == "conv2d" || layer.kind->spec.name == "conv_transpose2d") {
            const int64_t out = k.is_image("channels") ? image_C : k.integer("channels"), r = k.integer("kernel"),
                          s = k.integer("stride"), p = k.integer("padding");
            sum.trainable += C * out * r * r + (k.boolean("bias") ? out : 0);
            const auto side = [&](int64_t n) {
                return layer.kind->spec.name == "conv2d" ? (n + 2 * p - r) / s + 1 : (n - 1) * s - 2 * p + r;
            };
            H = side(H), W = side(W), C = out;
        } else if (layer.kind->spec.name == "batch_norm") {
            sum.trainable += 2 * C;
            sum.statistics += 2 * C;
        } else if (layer.kind->spec.name == "flatten") {
            C *= H * W;
            H = W = 1;
        }
    }
    return sum;
}

}  // namespace

TEST_CASE("the models have the expected parameter counts") {
    const auto check = [](const std::string& name, Count generator, Count discriminator, int64_t side = 28,
                          int64_t channels = 1) {
        CAPTURE(name);
        const GanConfig m = gan_of(load_model("models/" + name + ".json", {}));
        const Count g = count(m.generator, 1, 1, 100, side, side, channels),
                    d = count(m.discriminator, side, side, channels, side, side, channels);
        CHECK(g.trainable == generator.trainable);
        CHECK(g.statistics == generator.statistics);
        CHECK(d.trainable == discriminator.trainable);
        CHECK(d.statistics == discriminator.statistics);
    };
    check("keras-mlp", {1'489'936, 3'584}, {533'505, 0});
    check("vanilla", {1'510'032, 3'584}, {533'505, 0});
    check("dcgan", {759'680, 384}, {138'625, 256});
    check("wgan", {759'680, 384}, {138'369, 0});
    check("wgan-clip", {1'510'032, 3'584}, {533'505, 0});
    check("dcgan64", {3'576'704, 1'920}, {2'765'568, 1'792}, 64, 3);
    check("wgan-gp64", {3'576'704, 1'920}, {2'763'776, 0}, 64, 3);
}
