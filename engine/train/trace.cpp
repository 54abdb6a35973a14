#include "engine/train/trace.h"

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/limits.h"

namespace gannet {

void Trace::begin_step(int64_t step) {
    step_ = "s" + std::to_string(step) + ".";
    step_begin_ = content.arrays.size();
}

int64_t Trace::step_bytes() const {
    int64_t bytes = 0;
    for (std::size_t i = step_.empty() ? content.arrays.size() : step_begin_; i < content.arrays.size(); ++i)
        bytes += int64_t(content.arrays[i].data.size());
    return bytes;
}

void check_trace_memory(double bytes, const std::string& file) {
    const std::string lack = lack_of_memory(bytes, free_memory());
    if (!lack.empty()) throw LackOfMemory("the trace takes " + lack, file, "lower --trace-steps");
}

void Trace::images(const std::string& name, const Tensor& value, const SampleShape& sample) {
    const int64_t n = value.dim(0);
    const Shape torch_shape = sample.vector ? Shape{n, sample.C} : Shape{n, sample.C, sample.H, sample.W};
    add(to_array(step_ + name, value, image_layout(sample, n), torch_shape));
}

void Trace::values(const std::string& name, const Tensor& value) {
    add(to_array(step_ + name, value, {1, 1, value.size()}, value.shape()));
}

void Trace::gradients(const std::string& prefix, const Network& network) {
    for (const auto& p : network.parameters())
        add(to_array(step_ + prefix + p->name, network.gradients()[p->index], p->layout, p->torch_shape));
}

void Trace::state(const std::string& prefix, const Network& network, const Optimizer& optimizer) {
    std::vector<Array> arrays;
    append_state(arrays, step_ + prefix, network, &optimizer);
    for (Array& array : arrays) add(std::move(array));
}

void Trace::add(Array array) {
    constexpr int64_t large = 1 << 20;
    if (const int64_t bytes = array.bytes(); bytes >= large)
        if (const std::string lack = lack_of_memory(double(bytes), free_memory()); !lack.empty())
            throw LackOfMemory("'" + array.name + "' of the trace takes " + lack, "trace", "lower --trace-steps or `batch`");
    array.load();
    content.arrays.push_back(std::move(array));
}

void Trace::mask(const Module& module, const Pass& pass, const std::function<Tensor()>& draw) {
    static constexpr const char* roles[] = {"real", "fake", "interpolated"};
    const Tensor mask = draw();
    const SampleShape sample = mask.shape().size() == 4 ? SampleShape{mask.dim(1), mask.dim(2), mask.dim(3), false}
                                                        : SampleShape{1, 1, mask.dim(1), true};
    images(passes_ + "mask." + module.name + "." + roles[int(pass.role)], mask, sample);
}

bool is_trace(const std::string& path) {
    try {
        const Safetensors content = open_safetensors(path);
        return content.metadata.contains("config") && content.metadata.contains("order");
    } catch (const LackOfMemory&) {
        throw;
    } catch (const Error&) {
        return false;
    }
}

void check_trace_place(const std::string& path) {
    std::error_code error;
    if (!path.empty() && exists(path) && std::filesystem::is_regular_file(path, error) && !is_trace(path))
        throw Error("--trace would replace a file that is not a trace", path, "give the name of a new file");
}

}  // namespace gannet
