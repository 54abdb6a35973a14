#include "engine/nn/layer.h"

#include <cmath>
#include <initializer_list>

#include "base/error.h"
#include "base/extents.h"

namespace gannet {

int64_t SampleShape::size() const {
    int64_t values = 1;
    if (!multiply(values, std::initializer_list<int64_t>{H, W, C}))
        throw Error("a sample of shape " + str() + " has more than 2^63 values", "", "lower its sizes");
    return values;
}

std::string SampleShape::str() const {
    if (vector) return "(" + std::to_string(C) + ")";
    return "(" + std::to_string(C) + ", " + std::to_string(H) + ", " + std::to_string(W) + ")";
}

std::shared_ptr<Parameter> add_parameter(Layer& layer, const std::string& name, Shape shape, Shape torch_shape,
                                         TransposeShape layout, Init init) {
    auto parameter = std::make_shared<Parameter>();
    parameter->name = layer.name + "." + name;
    parameter->shape = std::move(shape);
    parameter->torch_shape = std::move(torch_shape);
    parameter->layout = layout;
    parameter->init = init;
    layer.parameters.push_back(parameter);
    return parameter;
}

Init weight_init(const std::string& kind, double fan_in, double fan_out, double std) {
    const auto uniform = [](double bound) { return Init{Init::Kind::uniform, -bound, bound}; };
    const auto normal = [](double deviation) { return Init{Init::Kind::normal, 0, deviation}; };
    if (kind == "normal") return normal(std);
    if (kind == "glorot_uniform") return uniform(std::sqrt(6 / (fan_in + fan_out)));
    if (kind == "glorot_normal") return normal(std::sqrt(2 / (fan_in + fan_out)));
    if (kind == "he_uniform") return uniform(std::sqrt(6 / fan_in));
    if (kind == "he_normal") return normal(std::sqrt(2 / fan_in));
    return uniform(1 / std::sqrt(fan_in));  // torch: kaiming_uniform with a = sqrt(5)
}

Init bias_init(const std::string& kind, double fan_in) {
    if (kind == "zeros") return {};
    return {Init::Kind::uniform, -1 / std::sqrt(fan_in), 1 / std::sqrt(fan_in)};
}

int64_t size_or(const config::Object& keys, const std::string& key, int64_t image) {
    return keys.is_image(key) ? image : keys.integer(key);
}

void need_vector(const Layer& layer, const config::LayerConfig& config) {
    if (layer.in.vector) return;
    throw Error("'" + layer.type + "' needs a vector, but its input is an image " + layer.in.str(), config.keys.where(),
                "put {\"layer\": \"flatten\"} before it");
}

SampleShape as_image(const SampleShape& in) { return in.vector ? SampleShape{1, 1, in.C, false} : in; }

}  // namespace gannet
