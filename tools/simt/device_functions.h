// Functions that kernels call: barriers, warp operations, bit operations, and arithmetic that C++ lacks.
#pragma once
#include <math.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "block.h"
#include "vector_types.h"

// ---- barriers and fences --------------------------------------------------------------------------------------------

inline void __syncthreads() { simt::block_barrier(simt::Barrier::plain, false); }
inline int __syncthreads_count(int predicate) { return simt::block_barrier(simt::Barrier::count, predicate != 0); }
inline int __syncthreads_or(int predicate) { return simt::block_barrier(simt::Barrier::any, predicate != 0) > 0; }
inline int __syncthreads_and(int predicate) {
    return simt::block_barrier(simt::Barrier::all, predicate != 0) == int(blockDim.x * blockDim.y * blockDim.z);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

// ---- warp operations --------------------------------------------------------------------------------------------------

namespace simt {

inline constexpr Operation syncwarp = {"__syncwarp", [](void* const*, unsigned) {}};

inline unsigned lane() { return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32; }

// A lane's part of a vote: its predicate, then the lanes with a nonzero predicate.
struct Vote {
    bool yes;
    unsigned ballot;
    static void complete(void* const* lanes, unsigned mask) {
        unsigned ballot = 0;
        for (unsigned l = 0; l < 32; ++l)
            if (mask >> l & 1 && static_cast<Vote*>(lanes[l])->yes) ballot |= 1u << l;
        for (unsigned l = 0; l < 32; ++l)
            if (mask >> l & 1) static_cast<Vote*>(lanes[l])->ballot = ballot;
    }
};
inline constexpr Operation ballot = {"__ballot_sync", Vote::complete}, any = {"__any_sync", Vote::complete},
                           all = {"__all_sync", Vote::complete};

inline unsigned vote(const Operation& operation, unsigned mask, bool yes) {
    Vote mine = {yes, 0};
    warp_meet(operation, mask, &mine);
    return mine.ballot;
}

// A lane's part of a shuffle: its value and its source lane.
template <class V>
struct Shuffle {
    V value, result;
    int source;
    bool lost;
    static void complete(void* const* lanes, unsigned mask) {
        for (unsigned l = 0; l < 32; ++l) {
            if (!(mask >> l & 1)) continue;
            Shuffle& mine = *static_cast<Shuffle*>(lanes[l]);
            mine.lost = !(mask >> mine.source & 1);
            if (!mine.lost) mine.result = static_cast<Shuffle*>(lanes[mine.source])->value;
        }
    }
};
template <class V>
inline constexpr Operation shuffle_index = {"__shfl_sync", Shuffle<V>::complete};
template <class V>
inline constexpr Operation shuffle_up = {"__shfl_up_sync", Shuffle<V>::complete};
template <class V>
inline constexpr Operation shuffle_down = {"__shfl_down_sync", Shuffle<V>::complete};
template <class V>
inline constexpr Operation shuffle_xor = {"__shfl_xor_sync", Shuffle<V>::complete};

template <class V>
V shuffle(const Operation& operation, unsigned mask, V value, int source) {
    static_assert(std::is_arithmetic_v<V> && (sizeof(V) == 4 || sizeof(V) == 8));
    Shuffle<V> mine = {value, value, source, false};
    warp_meet(operation, mask, &mine);
    if (mine.lost) fail("%s reads lane %d, which is not in its mask 0x%08x", operation.name, source, mask);
    return mine.result;
}

}  // namespace simt

inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { simt::warp_meet(simt::syncwarp, mask, nullptr); }
inline unsigned __ballot_sync(unsigned mask, int predicate) { return simt::vote(simt::ballot, mask, predicate != 0); }
inline int __any_sync(unsigned mask, int predicate) { return simt::vote(simt::any, mask, predicate != 0) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return simt::vote(simt::all, mask, predicate != 0) == mask; }

// Shuffles within groups of `width` lanes, a power of two. If the source is outside the group, a lane reads itself, as on a GPU.
template <class V>
V __shfl_sync(unsigned mask, V value, int source, int width = 32) {
    return simt::shuffle(simt::shuffle_index<V>, mask, value, (int(simt::lane()) & -width) | (source & (width - 1)));
}
template <class V>
V __shfl_up_sync(unsigned mask, V value, unsigned distance, int width = 32) {
    const int lane = int(simt::lane()), source = lane - int(distance);
    return simt::shuffle(simt::shuffle_up<V>, mask, value, source < (lane & -width) ? lane : source);
}
template <class V>
V __shfl_down_sync(unsigned mask, V value, unsigned distance, int width = 32) {
    const int lane = int(simt::lane()), source = lane + int(distance);
    return simt::shuffle(simt::shuffle_down<V>, mask, value, source > (lane | (width - 1)) ? lane : source);
}
template <class V>
V __shfl_xor_sync(unsigned mask, V value, int lanes, int width = 32) {
    const int lane = int(simt::lane()), source = lane ^ lanes;
    return simt::shuffle(simt::shuffle_xor<V>, mask, value, source > (lane | (width - 1)) ? lane : source);
}

// ---- loads ----------------------------------------------------------------------------------------------------------

template <class V>
V __ldg(const V* from) {
    return *from;
}

// ---- bits -----------------------------------------------------------------------------------------------------------

inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(unsigned(x)); }
inline int __clzll(long long x) { return std::countl_zero((unsigned long long)(x)); }
inline int __ffs(int x) { return x ? std::countr_zero(unsigned(x)) + 1 : 0; }
inline int __ffsll(long long x) { return x ? std::countr_zero((unsigned long long)(x)) + 1 : 0; }

inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline int __mulhi(int a, int b) { return int(int64_t(a) * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)(a)*b >> 64);
}

// ---- arithmetic -----------------------------------------------------------------------------------------------------

inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline float rsqrt(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float __fdividef(float a, float b) { return a / b; }

// min and max of two arithmetic values. As on a GPU, the result is NaN only if both are NaN.
template <class A, class B>
requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
inline auto min(A a, B b) {
    using C = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<C>) return std::fmin(C(a), C(b));
    else return C(a) < C(b) ? C(a) : C(b);
}
template <class A, class B>
requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
inline auto max(A a, B b) {
    using C = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<C>) return std::fmax(C(a), C(b));
    else return C(a) < C(b) ? C(b) : C(a);
}
