#include "engine/train/state.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "base/error.h"

namespace gannet {
namespace {

const Array& need(const Safetensors& content, const std::string& file, const std::string& name, const Shape& shape) {
    const Array* array = content.find(name);
    if (!array) throw Error("no '" + name + "' in it", file, "give a checkpoint of the same model");
    if (array->shape != std::vector<int64_t>(shape.begin(), shape.end()))
        throw Error("'" + name + "' has shape " + shape_text(array->shape) + ", but the model's has " + shape.str(), file,
                    "give a checkpoint of the same model");
    return *array;
}

// Gives the values of an array piece by piece.
void values_of(const Array& array, const std::function<void(const real*, std::size_t)>& take) {
    const auto converted = [&]<class T>(const std::byte* bytes, std::size_t count, T) {
        std::vector<T> raw(count / sizeof(T));
        std::memcpy(raw.data(), bytes, raw.size() * sizeof(T));
        const std::vector<real> values(raw.begin(), raw.end());
        take(values.data(), values.size());
    };
    array.pieces([&](const std::byte* bytes, std::size_t count) {
        if (array.dtype == "F32") converted(bytes, count, float());
        else converted(bytes, count, double());
    });
}

void check_values(const Array& array, const std::string& file, bool nonnegative) {
    if (array.dtype != "F32" && array.dtype != "F64")
        throw Error("'" + array.name + "' has type " + array.dtype, file, "F32 and F64 can be read");
    values_of(array, [&](const real* values, std::size_t count) {
        if (!all_finite(values, count)) throw not_finite(array.name, file);
        if (nonnegative && std::any_of(values, values + count, [](real v) { return v < 0; }))
            throw Error("'" + array.name + "' has negative values", file, "give a checkpoint that this program wrote");
    });
}

// Without a branch in the loop: one comparison per value, cheap compared with reading or writing the file.
template <class T>
bool finite_values(const T* values, std::size_t count) {
    bool finite = true;
    for (std::size_t i = 0; i < count; ++i) finite &= std::abs(values[i]) <= std::numeric_limits<T>::max();  // false for NaN
    return finite;
}

}  // namespace

bool all_finite(const float* values, std::size_t count) { return finite_values(values, count); }
bool all_finite(const double* values, std::size_t count) { return finite_values(values, count); }

Error not_finite(const std::string& name, const std::string& file) {
    return Error("'" + name + "' has values that are not finite", file,
                 "the training has diverged: use an earlier checkpoint, or train again with a lower learning rate");
}

Array to_array(const std::string& name, const Tensor& value, const TransposeShape& layout, const Shape& torch_shape) {
    const auto source = [value, layout](const TakeBytes& take) {
        to_torch(value, layout, [&](const real* values, std::size_t count) {
            take(reinterpret_cast<const std::byte*>(values), count * sizeof(real));
        });
    };
    return {name, dtype_word<real>(), torch_shape, {}, source};
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
    struct Target {
        const Array& array;
        const Variable& variable;
        const Tensor& flat;
        bool nonnegative;
    };
    std::vector<Target> targets;
    const auto add = [&](const std::string& name, const Variable& v, const Tensor& flat, bool nonnegative) {
        targets.push_back({need(content, file, name, v.torch_shape), v, flat, nonnegative});
    };
    const auto load = [&] {  // everything is checked before anything changes
        for (const Target& p : targets) check_values(p.array, file, p.nonnegative);
        for (const Target& p : targets) {
            FromTorch to(p.variable.in(p.flat), p.variable.layout);
            values_of(p.array, [&](const real* values, std::size_t count) { to.take(values, count); });
            to.finish();
        }
    };
    for (const Variable* p : network.parameters()) add(p->name, *p, network.flat_values(), p->nonnegative);
    for (const Variable* b : network.buffers()) add(b->name, *b, network.flat_buffers(), b->nonnegative);
    if (!optimizer) return load();
    for (const Optimizer::State& state : optimizer->states())
        for (const Variable* p : network.parameters())
            add("optimizer." + p->name + "." + state.name, *p, state.flat, state.nonnegative);
    const Array& step = need(content, file, "optimizer." + network.name() + ".step", {});
    int64_t updates = 0;
    if (step.dtype != "I64")
        throw Error("'" + step.name + "' is not a 64-bit integer", file, "give a checkpoint that this program wrote");
    step.pieces([&](const std::byte* bytes, std::size_t) { std::memcpy(&updates, bytes, sizeof updates); });
    constexpr int64_t most = int64_t(1) << 53;
    if (updates < 0 || updates > most)
        throw Error("'" + step.name + "' is " + std::to_string(updates), file, "give a checkpoint that this program wrote");
    load();
    optimizer->set_updates(updates);
}

}  // namespace gannet
