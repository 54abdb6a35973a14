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
    if (!array) throw Error("no '" + name + "' in it", file, "give a checkpoint of this very model");
    if (array->shape != std::vector<int64_t>(shape.begin(), shape.end()))
        throw Error("'" + name + "' has shape " + shape_text(array->shape) + ", the model's has " + shape.str(), file,
                    "give a checkpoint of this very model");
    return *array;
}

template <class T>
std::vector<real> converted(const Array& array) {
    const std::vector<T> raw = values_of<T>(array);
    return {raw.begin(), raw.end()};
}

// Variances and means of squares: a root is taken of them.
bool is_square(const std::string& name) { return name.ends_with("var") || name.ends_with("_sq") || name.ends_with("square_avg"); }

std::vector<real> reals_of(const Array& array, const std::string& file) {
    if (array.dtype == "F32" || array.dtype == "F64") {
        std::vector<real> values = array.dtype == "F32" ? converted<float>(array) : converted<double>(array);
        if (!all_finite(values.data(), values.size()))
            throw Error("'" + array.name + "' holds values that are not finite", file,
                        "the training has diverged: use an earlier checkpoint, or train again with a lower learning rate");
        if (is_square(array.name) && std::any_of(values.begin(), values.end(), [](real v) { return v < 0; }))
            throw Error("'" + array.name + "' has negative values", file, "give a checkpoint that this program wrote");
        return values;
    }
    throw Error("'" + array.name + "' has type " + array.dtype, file, "F32 and F64 can be read");
}

// The part of an optimizer's flat state that belongs to a parameter: it lies as the parameter does in the flat values.
Tensor part_of(const Tensor& flat, const Network& network, const Parameter& p) {
    return flat.rows(p.value.data() - network.flat_values().data(), p.value.size()).view(p.shape);
}

}  // namespace

// Without a branch in the loop: one comparison a value, small beside reading or writing the file.
bool all_finite(const real* values, std::size_t count) {
    bool finite = true;
    for (std::size_t i = 0; i < count; ++i) finite &= std::abs(values[i]) <= std::numeric_limits<real>::max();  // false for NaN
    return finite;
}

Array to_array(const std::string& name, const Tensor& value, const TransposeShape& layout, const Shape& torch_shape) {
    return make_array(name, torch_shape, to_torch(value, layout));
}

void append_state(std::vector<Array>& arrays, const std::string& prefix, const Network& network, const Optimizer* optimizer) {
    for (const auto& p : network.parameters()) arrays.push_back(to_array(prefix + p->name, p->value, p->layout, p->torch_shape));
    for (const auto& s : network.statistics()) {
        const int64_t cols = s->value.dim(1);
        arrays.push_back(to_array(prefix + s->mean_name, s->value.rows(0, 1), {1, 1, cols}, {cols}));
        arrays.push_back(to_array(prefix + s->var_name, s->value.rows(1, 1), {1, 1, cols}, {cols}));
    }
    if (!optimizer) return;
    for (const Optimizer::State& state : optimizer->states())
        for (const auto& p : network.parameters())
            arrays.push_back(to_array(prefix + "optimizer." + p->name + "." + state.name, part_of(state.flat, network, *p),
                                      p->layout, p->torch_shape));
    const int64_t updates = optimizer->updates();
    arrays.push_back(make_array(prefix + "optimizer." + network.name() + ".step", {}, &updates, 1));
}

void load_state(const Safetensors& content, const std::string& file, const Network& network, Optimizer* optimizer) {
    for (const auto& p : network.parameters())
        from_torch(p->value, p->layout, reals_of(need(content, file, p->name, p->torch_shape), file));
    for (const auto& s : network.statistics()) {
        const int64_t cols = s->value.dim(1);
        from_torch(s->value.rows(0, 1), {1, 1, cols}, reals_of(need(content, file, s->mean_name, {cols}), file));
        from_torch(s->value.rows(1, 1), {1, 1, cols}, reals_of(need(content, file, s->var_name, {cols}), file));
    }
    if (!optimizer) return;
    for (const Optimizer::State& state : optimizer->states())
        for (const auto& p : network.parameters()) {
            const Array& array = need(content, file, "optimizer." + p->name + "." + state.name, p->torch_shape);
            from_torch(part_of(state.flat, network, *p), p->layout, reals_of(array, file));
        }
    const Array& step = need(content, file, "optimizer." + network.name() + ".step", {});
    int64_t updates = 0;
    if (step.dtype != "I64" || step.data.size() != sizeof updates)
        throw Error("'" + step.name + "' is no 64-bit integer", file, "give a checkpoint that this program wrote");
    std::memcpy(&updates, step.data.data(), sizeof updates);
    constexpr int64_t most = int64_t(1) << 53;
    if (updates < 0 || updates > most)
        throw Error("'" + step.name + "' is " + std::to_string(updates), file, "give a checkpoint that this program wrote");
    optimizer->set_updates(updates);
}

}  // namespace gannet
