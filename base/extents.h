// The product of extents, the one place that checks it.
#pragma once
#include <cstdint>

namespace gannet {

// Multiplies `product` by each extent. False if an extent is negative, or the product does not fit; then its value means nothing.
template <class Extents>
bool multiply(int64_t& product, const Extents& extents) {
    for (const int64_t extent : extents)
        if (extent < 0 || __builtin_mul_overflow(product, extent, &product)) return false;
    return true;
}

}  // namespace gannet
