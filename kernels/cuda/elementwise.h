// Splits the work of memory-bound kernels, as kernels/cpu/blocks.h does on the CPU: maps over n elements, and the 32-bit index
// arithmetic of kernels over samples. Every element is computed by one thread and one formula, so the split changes no result.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/pack.h"
#include "kernels/math.h"

namespace gannet::kernels::cuda {

inline constexpr int map_threads = 256;
inline constexpr int map_blocks = min_blocks(map_threads, 64);

template <class T>
inline constexpr int map_tile = map_threads* widest<T>;  // elements per block

// ---- maps over n elements --------------------------------------------------------------------------------------------

// The elements of this thread: one pack if `wide` allows 16-byte accesses, else every map_threads-th element of the block. The
// accesses of a warp are coalesced in both cases. Elements beyond the end are read as 0 and not written.
template <class T>
class Share {
public:
    using Values = Pack<T, widest<T>>;

    __device__ Share(int64_t n, bool wide) : begin_(int64_t(blockIdx.x) * map_tile<T>), wide_(wide) {
        count_ = n - begin_ < map_tile<T> ? int(n - begin_) : map_tile<T>;
        whole_ = wide && int(threadIdx.x + 1) * widest<T> <= count_;
    }

    // The index of the k-th element within the block, and among all elements.
    __device__ int place(int k) const { return wide_ ? int(threadIdx.x) * widest<T> + k : int(threadIdx.x) + k * map_threads; }
    __device__ int64_t element(int k) const { return begin_ + place(k); }

    __device__ Values load(const T* from) const {
        from += begin_;
        if (whole_) return load_pack<widest<T>>(from + place(0));
        Values values;
#pragma unroll
        for (int k = 0; k < widest<T>; ++k) values[k] = place(k) < count_ ? from[place(k)] : T(0);
        return values;
    }
    __device__ void store(T* to, const Values& values) const {
        to += begin_;
        if (whole_) return store_pack(to + place(0), values);
#pragma unroll
        for (int k = 0; k < widest<T>; ++k)
            if (place(k) < count_) to[place(k)] = values[k];
    }

private:
    int64_t begin_;
    int count_;
    bool wide_, whole_;
};

template <class T, class F, class... V>
__device__ __forceinline__ Pack<T, widest<T>> map_pack(const F& f, const V&... values) {
    Pack<T, widest<T>> out;
#pragma unroll
    for (int k = 0; k < widest<T>; ++k) out[k] = f(values[k]...);
    return out;
}

// y[e] = f(x[e]...) over n elements.
template <class T, class F, class... X>
__device__ __forceinline__ void map(T* y, int64_t n, bool wide, const F& f, const X*... x) {
    const Share<T> mine(n, wide);
    mine.store(y, map_pack<T>(f, mine.load(x)...));
}

// Launches a kernel that takes a Share of n elements. Does nothing if n is 0.
template <class T, class... P>
void launch_map(const char* name, void (*kernel)(P...), int64_t n, Stream stream, std::type_identity_t<P>... arguments) {
    if (n <= 0) return;
    launch(name, kernel, {dim3(unsigned(divide_up(n, map_tile<T>))), dim3(map_threads)}, stream, arguments...);
}

template <class F, class T, class... X>
__global__ void __launch_bounds__(map_threads, map_blocks) map_kernel(F f, T* y, int64_t n, bool wide, const X*... x) {
    map(y, n, wide, f, x...);
}

// y[e] = f(x[e]...) in a launch of its own. f is a struct: a profiler shows its name as that of the kernel.
template <class F, class T, class... X>
void launch_map(const char* name, const F& f, T* y, int64_t n, Stream stream, const X*... x) {
    launch_map<T>(name, map_kernel<F, T, X...>, n, stream, f, y, n, aligned(y, x...), x...);
}

struct Add {
    __device__ auto operator()(auto u, auto v) const { return u + v; }
};
template <class T>
struct Clamp {
    T low, high;
    __device__ T operator()(T v) const { return math::clamp(v, low, high); }
};

// ---- indices ---------------------------------------------------------------------------------------------------------

// Division of numbers below 2^31 by one multiplication (Granlund and Montgomery, PLDI 1994).
class Divisor {
public:
    Divisor() = default;
    explicit Divisor(int64_t divisor) : divisor_(uint32_t(divisor)) {
        while (int64_t(1) << (shift_ - 31) < divisor) ++shift_;
        factor_ = uint32_t(((uint64_t(1) << shift_) + divisor_ - 1) / divisor_);
    }
    GANNET_HD uint32_t value() const { return divisor_; }
    GANNET_HD uint32_t quotient(uint32_t n) const { return uint32_t(uint64_t(n) * factor_ >> shift_); }
    // n becomes the remainder.
    GANNET_HD uint32_t split(uint32_t& n) const {
        const uint32_t q = quotient(n);
        n -= q * divisor_;
        return q;
    }

private:
    uint32_t divisor_ = 1, factor_ = uint32_t(1) << 31;
    int shift_ = 31;
};

// The maximum number of elements of one launch of a kernel with 32-bit indices.
inline constexpr int64_t range_limit = (int64_t(1) << 31) - 1;

// Calls f(first, count) for ranges of samples within the limit; nearly always there is one range. The results of a sample do not
// depend on its range.
template <class F>
void for_ranges(int64_t samples, int64_t per_sample, const F& f) {
    if (samples <= 0 || per_sample <= 0) return;
    if (per_sample > range_limit)
        throw Error("a sample of " + std::to_string(per_sample) + " elements", "CUDA kernels",
                    "the most is " + std::to_string(range_limit));
    const int64_t most = range_limit / per_sample;
    for (int64_t first = 0; first < samples; first += most) f(first, std::min(most, samples - first));
}

// One thread for each of n < 2^31 indices.
inline Grid thread_grid(int64_t n) { return {dim3(unsigned(divide_up(n, map_threads))), dim3(map_threads)}; }
__device__ __forceinline__ uint32_t thread_place() { return blockIdx.x * uint32_t(map_threads) + threadIdx.x; }

}  // namespace gannet::kernels::cuda
