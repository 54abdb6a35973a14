// The product of extents, with overflow checks.
#pragma once
#include <cstdint>

namespace gannet {

// Multiplies `product` by each extent. Returns false if an extent is negative or the product overflows; its value is then
// undefined.
template <class Extents>
bool multiply(int64_t& product, const Extents& extents) {
    for (const int64_t extent : extents)
        if (extent < 0 || __builtin_mul_overflow(product, extent, &product)) return false;
    return true;
}

}  // namespace gannet
