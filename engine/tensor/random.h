// The streams of random numbers and their purposes. kernels/philox.h generates the numbers.
#pragma once
#include <cstdint>

#include "kernels/philox.h"

namespace gannet {

enum class Net : uint32_t { generator = 0, discriminator = 1, classifier = 2 };
// The kinds of passes through a network: dropout masks of the same layer differ between these.
enum class Role : uint32_t { data = 0, fake = 1, interpolated = 2 };

namespace streams {
// 1 is data_order_stream of kernels/philox.h
inline constexpr uint32_t latent = 2;
inline constexpr uint32_t interpolation = 3;
inline constexpr uint32_t sample_grid = 4;
// initial value of parameter number `parameter` of a network (counted over the network's parameter list)
constexpr uint32_t initial(Net net, int parameter) { return 0x10000u + uint32_t(net) * 0x4000u + uint32_t(parameter); }
constexpr uint32_t initial_buffer(Net net, int buffer) { return initial(net, buffer) + 0x10000u; }  // the same of a buffer
// dropout of leaf layer number `layer` (counted over all layers, nested ones included, in order)
constexpr uint32_t dropout(Net net, Role role, int layer) {
    return 0x40000u + uint32_t(net) * 0x20000u + uint32_t(role) * 0x8000u + uint32_t(layer);
}
}  // namespace streams

// Updates within a step: critic update c has number c, generator update k has 2048 + k, in any order.
inline constexpr uint32_t generator_update_number = 2048;
// The number of passes outside of training: no update draws the same dropout masks.
inline constexpr uint32_t no_update_number = generator_update_number - 1;

}  // namespace gannet
