// Vectors of `lanes` reals with GCC's vector extensions, the same source for every instruction set.
#pragma once
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/isa.h"

namespace gannet::kernels::cpu::GANNET_ISA {

typedef real vec __attribute__((vector_size(vector_bytes)));
typedef real unaligned_vec __attribute__((vector_size(vector_bytes), aligned(alignof(real)), may_alias));

inline vec load(const real* p) { return *reinterpret_cast<const unaligned_vec*>(p); }
inline void store(real* p, vec v) { *reinterpret_cast<unaligned_vec*>(p) = v; }

// Copies n reals. n is often less than a vector; a call of memcpy would then take longer than the copy.
inline void copy_run(real* to, const real* from, int64_t n) {
    for (; n >= lanes; n -= lanes, to += lanes, from += lanes) store(to, load(from));
    const auto tail = [&](int part) {
        if (part < lanes && (n & part)) {
            std::memcpy(to, from, size_t(part) * sizeof(real));
            to += part, from += part;
        }
    };
    tail(8), tail(4), tail(2), tail(1);
}

inline void zero_run(real* to, int64_t n) {
    for (; n >= lanes; n -= lanes, to += lanes) store(to, vec{});
    for (int64_t i = 0; i < n; ++i) to[i] = 0;
}

// The first n < lanes reals at p, and zeros.
inline vec load_part(const real* p, int64_t n) {
    vec part = {};
    copy_run(reinterpret_cast<real*>(&part), p, n);
    return part;
}

namespace detail {

using index = std::conditional_t<sizeof(real) == 4, int32_t, int64_t>;
typedef index indices __attribute__((vector_size(vector_bytes)));

// Adds to each lane the lane whose number differs in bit `bit`.
template <int bit, int... lane>
inline vec fold(vec v, std::integer_sequence<int, lane...>) {
    return v + __builtin_shuffle(v, indices{(lane ^ bit)...});
}

// Exchanges bit `bit` of the row number with the same bit of the lane number.
template <int bit, int... lane>
inline void transpose_bit(vec (&rows)[lanes], std::integer_sequence<int, lane...>) {
    const indices low = {(lane & bit ? lanes + (lane ^ bit) : lane)...};
    const indices high = {(lane & bit ? lanes + lane : lane ^ bit)...};
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
        if (i & bit) continue;
        const vec a = rows[i], b = rows[i | bit];
        rows[i] = __builtin_shuffle(a, b, low);
        rows[i | bit] = __builtin_shuffle(a, b, high);
    }
}

}  // namespace detail

// The sum of the lanes, in halves: an order fixed by the instruction set.
inline real sum_lanes(vec v) {
    constexpr auto all = std::make_integer_sequence<int, lanes>();
    if constexpr (lanes > 8) v = detail::fold<8>(v, all);
    if constexpr (lanes > 4) v = detail::fold<4>(v, all);
    if constexpr (lanes > 2) v = detail::fold<2>(v, all);
    return v[0] + v[1];
}

// Transposes a lanes x lanes block held in registers.
inline void transpose_block(vec (&rows)[lanes]) {
    constexpr auto all = std::make_integer_sequence<int, lanes>();
    if constexpr (lanes > 8) detail::transpose_bit<8>(rows, all);
    if constexpr (lanes > 4) detail::transpose_bit<4>(rows, all);
    if constexpr (lanes > 2) detail::transpose_bit<2>(rows, all);
    detail::transpose_bit<1>(rows, all);
}

}  // namespace gannet::kernels::cpu::GANNET_ISA
