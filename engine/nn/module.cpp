#include "engine/nn/module.h"

#include <initializer_list>
#include <limits>

#include "base/error.h"
#include "base/extents.h"
#include "engine/nn/registry.h"
#include "kernels/place.h"

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

namespace {

constexpr int64_t alignment = 64 / sizeof(real);

Variable placed(FlatLayout& flat, const Site& site, const std::string& name, Shape shape, Shape torch_shape,
                TransposeShape layout, Init init) {
    Variable v{.name = site.name + "." + name,
               .shape = std::move(shape),
               .torch_shape = std::move(torch_shape),
               .layout = layout,
               .init = init,
               .index = flat.count++,
               .offset = flat.size};
    if (__builtin_add_overflow(flat.size, v.size(), &flat.size) || flat.size > std::numeric_limits<int64_t>::max() - alignment)
        throw Error(name_of(site.context.net) + " has too many parameters", v.name, "lower its channels or units");
    return v;
}

void align(FlatLayout& flat) { flat.size = (flat.size + alignment - 1) / alignment * alignment; }

}  // namespace

Module::Module(const Site& site)
    : type(site.kind.spec.name),
      name(site.name),
      place(interned(name + " " + type, type)),
      in(site.in),
      out(site.in),
      traits(site.kind.traits) {
    align(site.context.buffers);
}

void Module::add_parameter(const Site& site, const std::string& parameter, Shape shape, Shape torch_shape, TransposeShape layout,
                           Init init) {
    parameters.push_back(
        placed(site.context.parameters, site, parameter, std::move(shape), std::move(torch_shape), layout, init));
    align(site.context.parameters);
}

void Module::add_buffer(const Site& site, const std::string& buffer, Shape shape, Shape torch_shape, TransposeShape layout,
                        Init init, bool nonnegative) {
    buffers.push_back(placed(site.context.buffers, site, buffer, std::move(shape), std::move(torch_shape), layout, init));
    buffers.back().nonnegative = nonnegative;
}

void Module::need_vector(const Site& site) const {
    if (in.vector) return;
    throw Error("'" + type + "' needs a vector, but its input is an image " + in.str(), site.keys().where(),
                "put {\"layer\": \"flatten\"} before it");
}

std::string name_of(Net net) {
    static constexpr const char* names[] = {"generator", "discriminator", "classifier"};
    return names[std::size_t(net)];
}

SampleShape as_image(const SampleShape& in) { return in.vector ? SampleShape{1, 1, in.C, false} : in; }

}  // namespace gannet
