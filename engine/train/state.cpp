#include "engine/train/state.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace gannet {
namespace {

const Array& need(const Safetensors& content, const std::string& file, const std::string& name, const Shape& shape) {
    const Array* array = content.find(name);
    if (!array) throw Error("no '" + name + "' in it", file, "give a checkpoint of the same model");
    if (array->shape != std::vector<int64_t>(shape.begin(), shape.end()))
        throw Error("'" + name + "' has shape " + shape_text(array->shape) + ", the model's has " + shape.str(), file,
                    "give a checkpoint of the same model");
    return *array;
}

template <class T>
std::vector<real> converted(const Array& array) {
    const std::vector<T> raw = values_of<T>(array);
    return {raw.begin(), raw.end()};
}

std::vector<real> reals_of(const Array& array, const std::string& file, bool nonnegative) {
    if (array.dtype == "F32" || array.dtype == "F64") {
        std::vector<real> values = array.dtype == "F32" ? converted<float>(array) : converted<double>(array);
        if (!all_finite(values.data(), values.size())) throw not_finite(array.name, file);
        if (nonnegative && std::any_of(values.begin(), values.end(), [](real v) { return v < 0; }))
            throw Error("'" + array.name + "' has negative values", file, "give a checkpoint that this program wrote");
        return values;
    }
    throw Error("'" + array.name + "' has type " + array.dtype, file, "F32 and F64 can be read");
}

}  // namespace

// Without a branch in the loop: one comparison per value, cheap compared with reading or writing the file.
bool all_finite(const real* values, std::size_t count) {
    bool finite = true;
    for (std::size_t i = 0; i < count; ++i) finite &= std::abs(values[i]) <= std::numeric_limits<real>::max();  // false for NaN
    return finite;
}

Error not_finite(const std::string& name, const std::string& file) {
    return Error("'" + name + "' has values that are not finite", file,
                 "the training has diverged: use an earlier checkpoint, or train again with a lower learning rate");
}

Array to_array(const std::string& name, const Tensor& value, const TransposeShape& layout, const Shape& torch_shape) {
    return make_array(name, torch_shape, to_torch(value, layout));
}

void append_state(std::vector<Array>& arrays, const std::string& prefix, const Network& network, const Optimizer* optimizer) {
    const auto append = [&](const std::string& name, const Variable& v, const Tensor& flat) {
        arrays.push_back(to_array(prefix + name, v.in(flat), v.layout, v.torch_shape));
    };
    for (const Variable* p : network.parameters()) append(p->name, *p, network.flat_values());
    for (const Variable* b : network.buffers()) append(b->name, *b, network.flat_buffers());
    if (!optimizer) return;
    for (const Optimizer::State& state : optimizer->states())
        for (const Variable* p : network.parameters()) append("optimizer." + p->name + "." + state.name, *p, state.flat);
    const int64_t updates = optimizer->updates();
    arrays.push_back(make_array(prefix + "optimizer." + network.name() + ".step", {}, &updates, 1));
}

void load_state(const Safetensors& content, const std::string& file, const Network& network, Optimizer* optimizer) {
    const auto load = [&](const std::string& name, const Variable& v, const Tensor& flat, bool nonnegative) {
        from_torch(v.in(flat), v.layout, reals_of(need(content, file, name, v.torch_shape), file, nonnegative));
    };
    for (const Variable* p : network.parameters()) load(p->name, *p, network.flat_values(), p->nonnegative);
    for (const Variable* b : network.buffers()) load(b->name, *b, network.flat_buffers(), b->nonnegative);
    if (!optimizer) return;
    for (const Optimizer::State& state : optimizer->states())
        for (const Variable* p : network.parameters())
            load("optimizer." + p->name + "." + state.name, *p, state.flat, state.nonnegative);
    const Array& step = need(content, file, "optimizer." + network.name() + ".step", {});
    int64_t updates = 0;
    if (step.dtype != "I64" || step.data.size() != sizeof updates)
        throw Error("'" + step.name + "' is not a 64-bit integer", file, "give a checkpoint that this program wrote");
    std::memcpy(&updates, step.data.data(), sizeof updates);
    constexpr int64_t most = int64_t(1) << 53;
    if (updates < 0 || updates > most)
        throw Error("'" + step.name + "' is " + std::to_string(updates), file, "give a checkpoint that this program wrote");
    optimizer->set_updates(updates);
}

}  // namespace gannet
