// Random numbers. Bound by arithmetic: ten rounds of Philox compute four numbers in about 100 integer instructions, Box-Muller
// adds about 20 flops per number. So whole vectors of Philox blocks are computed, across the boundaries of samples.
#include "kernels/cpu/isa.h"

#include "kernels/cpu/blocks.h"
#include "kernels/philox.h"

namespace gannet::kernels::cpu::GANNET_ISA {
namespace {

inline constexpr int group = 64;  // Philox blocks computed together

// `group` counters, which philox replaces by their words: w[k][j] is word k of block j.
struct Group {
    alignas(64) uint32_t w[4][group];
};

// philox() of kernels/philox.h, one round at a time over the whole group, so that each round is a loop over vectors.
void make_words(Group& g, uint64_t seed) {
    uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
    for (int round = 0; round < 10; ++round) {
#pragma omp simd
        for (int j = 0; j < group; ++j) {
            const uint32_t c0 = g.w[0][j], c1 = g.w[1][j], c2 = g.w[2][j], c3 = g.w[3][j];
            g.w[0][j] = uint32_t(uint64_t(0xCD9E8D57u) * c2 >> 32) ^ c1 ^ k0;
            g.w[1][j] = 0xCD9E8D57u * c2;
            g.w[2][j] = uint32_t(uint64_t(0xD2511F53u) * c0 >> 32) ^ c3 ^ k1;
            g.w[3][j] = 0xD2511F53u * c0;
        }
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
}

// Draws numbers for all elements in order: make(v, w) converts the words of a group to numbers, in the same layout, and put(e,
// values, count) receives those of elements e .. e + count.
template <class T, class Make, class Put>
void for_draws(Stream stream, const Counters* counters, const RandomKey& key, const DrawShape& s, const Make& make,
               const Put& put) {
    if (s.size() <= 0) return;
    const int64_t step = counters->step, per_sample = s.per_sample, blocks = ceil_div(per_sample, 4);
    const auto run = [&](int64_t begin, int64_t end) {
        Group g{};
        alignas(64) T planes[4][group], values[4 * group];
        int64_t sample = begin / blocks, block = begin % blocks;
        for (int64_t first = begin; first < end; first += group) {
            const int count = int(std::min<int64_t>(group, end - first));
            const int64_t start = sample * per_sample + 4 * block, start_block = block;
            for (int j = 0; j < group;) {  // runs within a sample
                const int run_length = int(std::min<int64_t>(group - j, blocks - block));
                const uint32_t b = uint32_t(block), c = uint32_t(s.first_sample + sample);
#pragma omp simd
                for (int k = 0; k < run_length; ++k) g.w[0][j + k] = b + uint32_t(k), g.w[1][j + k] = c;
                j += run_length, block += run_length;
                if (block == blocks) block = 0, ++sample;
            }
            std::fill_n(g.w[2], group, uint32_t(step));
            std::fill_n(g.w[3], group, key.stream << 12 | key.update);
            make_words(g, key.seed);
            make(planes, g.w);
#pragma omp simd
            for (int j = 0; j < group; ++j)
                for (int k = 0; k < 4; ++k) values[4 * j + k] = planes[k][j];
            if (per_sample % 4 == 0) {
                put(start, values, 4 * count);
                continue;
            }
            int64_t e = start, b = start_block;  // the last block of a sample may be used in part
            for (int j = 0; j < count; ++j) {
                const int used = int(std::min<int64_t>(4, per_sample - 4 * b));
                put(e, values + 4 * j, used);
                e += used;
                if (++b == blocks) b = 0;
            }
        }
    };
    for_blocks(stream, s.samples * blocks, run, block_size / 4);
}

template <class T>
using Planes = T (*)[group];

// v = f(u), u a uniform number in (0,1)
template <class T, class F>
auto from_uniform(const F& f) {
    return [=](Planes<T> v, Planes<const uint32_t> w) {
        const F local = f;  // a local copy, so that stores to v cannot alias it
        for (int k = 0; k < 4; ++k)
#pragma omp simd
            for (int j = 0; j < group; ++j) v[k][j] = local(T(unit_uniform(w[k][j])));
    };
}

// Box-Muller on the word pairs (0,1) and (2,3).
template <class T>
auto from_normal(T mean, T stddev) {
    return [=](Planes<T> v, Planes<const uint32_t> w) {
        for (int k = 0; k < 4; k += 2)
#pragma omp simd
            for (int j = 0; j < group; ++j) {
                const real radius = math::sqrt(-2 * math::log(unit_uniform(w[k][j])));
                real sine, cosine;
                math::sincos_turns(unit_uniform(w[k + 1][j]), sine, cosine);
                v[k][j] = T(mean + stddev * (radius * cosine));
                v[k + 1][j] = T(mean + stddev * (radius * sine));
            }
    };
}

template <class T>
auto store(T* y) {
    return [=](int64_t e, const T* values, int count) {
#pragma omp simd
        for (int k = 0; k < count; ++k) y[e + k] = values[k];
    };
}

}  // namespace

template <class T>
void uniform(T* y, const Counters* counters, const RandomKey& key, const DrawShape& s, T low, T high, Stream stream) {
    const T range = high - low;
    for_draws<T>(stream, counters, key, s, from_uniform<T>([=](T u) { return low + range * u; }), store(y));
}

template <class T>
void normal(T* y, const Counters* counters, const RandomKey& key, const DrawShape& s, T mean, T stddev, Stream stream) {
    for_draws<T>(stream, counters, key, s, from_normal(mean, stddev), store(y));
}

template <class T>
void dropout(T* y, const T* x, const Counters* counters, const RandomKey& key, const DropoutShape& s, T p, Stream stream) {
    if (s.size() <= 0) return;
    const T keep = 1 - p, scale = 1 / keep;
    const auto mask = from_uniform<T>([=](T u) { return u < keep ? scale : T(0); });
    if (!s.channelwise) {
        const DrawShape all{s.first_sample, s.samples, s.spatial * s.channels};
        return for_draws<T>(stream, counters, key, all, mask, [=](int64_t e, const T* values, int count) {
#pragma omp simd
            for (int k = 0; k < count; ++k) y[e + k] = x[e + k] * values[k];
        });
    }
    T* masks = static_cast<T*>(scratch(0, s.samples * s.channels * int64_t(sizeof(T))));
    for_draws<T>(stream, counters, key, DrawShape{s.first_sample, s.samples, s.channels}, mask, store(masks));
    const int64_t per_sample = s.spatial * s.channels, channels = s.channels;
    for_segments(stream, s.size(), channels, [=](int64_t e, int64_t j, int64_t length) {
        const T* row = masks + e / per_sample * channels + j;
#pragma omp simd
        for (int64_t k = 0; k < length; ++k) y[e + k] = x[e + k] * row[k];
    });
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/random.inl"
#include "kernels/cpu/instantiate.inl"
