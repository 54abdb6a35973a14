#include "engine/train/trace.h"

namespace gannet {

void Trace::images(const std::string& name, const Tensor& value, const SampleShape& sample) {
    const int64_t n = value.dim(0);
    const Shape torch_shape = sample.vector ? Shape{n, sample.C} : Shape{n, sample.C, sample.H, sample.W};
    content.arrays.push_back(to_array(step_ + name, value, image_layout(sample, n), torch_shape));
}

void Trace::values(const std::string& name, const Tensor& value) {
    content.arrays.push_back(to_array(step_ + name, value, {1, 1, value.size()}, value.shape()));
}

void Trace::gradients(const std::string& prefix, const Network& network) {
    for (const auto& p : network.parameters())
        content.arrays.push_back(to_array(step_ + prefix + p->name, network.gradients()[p->index], p->layout, p->torch_shape));
}

bool is_trace(const std::string& path) {
    try {
        const Safetensors content = read_safetensors(path);
        return content.metadata.contains("config") && content.metadata.contains("order");
    } catch (const LackOfMemory&) {
        throw;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace gannet
