// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011) and the conversion of its
// words to numbers. Both backends and tools/gannet_draws.py implement the same functions.
//
//   key      = (seed low, seed high)
//   counter  = (element / 4, sample, step, stream * 4096 + update)      element: its index within the sample
//   word     = output element % 4
//   uniform  = ((word >> 9) + 0.5) / 2^23         in (0,1), exact in float and double
//   normal   = Box-Muller on the word pairs (0,1) and (2,3): sqrt(-2 ln u0) * (cos, sin)(2 pi u1)
#pragma once
#include <cstdint>

#include "kernels/shapes.h"

namespace gannet {

struct PhiloxWords {
    uint32_t w[4];
};

GANNET_HD PhiloxWords philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint64_t seed) {
    uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint64_t p0 = uint64_t(0xD2511F53u) * c0, p1 = uint64_t(0xCD9E8D57u) * c2;
        const uint32_t n0 = uint32_t(p1 >> 32) ^ c1 ^ k0, n2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
        c0 = n0, c1 = uint32_t(p1), c2 = n2, c3 = uint32_t(p0);
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// The four words of elements 4*block .. 4*block+3 of a sample.
GANNET_HD PhiloxWords draw(const RandomKey& key, int64_t step, int64_t sample, int64_t block) {
    return philox(uint32_t(block), uint32_t(sample), uint32_t(step), key.stream << 12 | key.update, key.seed);
}

GANNET_HD real unit_uniform(uint32_t word) { return (real(word >> 9) + real(0.5)) * real(1.0 / 8388608.0); }

// ---- the order of the data ------------------------------------------------------------------------------------------

inline constexpr uint32_t data_order_stream = 1;

// A bijection of [0, count): four Feistel rounds over the next even number of bits, repeated until the result is in the range.
// Round keys are the words of counter (epoch low, epoch high, 0, data_order_stream * 4096).
GANNET_HD int64_t shuffled_index(uint64_t seed, int64_t epoch, int64_t index, int64_t count) {
    const PhiloxWords keys = philox(uint32_t(epoch), uint32_t(uint64_t(epoch) >> 32), 0, data_order_stream << 12, seed);
    int half = 1;
    while ((int64_t(1) << (2 * half)) < count) ++half;
    const uint32_t mask = uint32_t((uint64_t(1) << half) - 1);
    do {
        uint32_t left = uint32_t(index >> half) & mask, right = uint32_t(index) & mask;
        for (int round = 0; round < 4; ++round) {
            uint32_t h = right ^ keys.w[round];  // murmur3's finaliser
            h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
            h = (h ^ (h >> 13)) * 0xC2B2AE35u;
            h ^= h >> 16;
            const uint32_t next = left ^ (h & mask);
            left = right;
            right = next;
        }
        index = int64_t(left) << half | right;
    } while (index >= count);
    return index;
}

}  // namespace gannet
