// Random numbers. A thread computes one Philox block, four elements of a sample, and stores it with one 16-byte access. Ten
// rounds need 20 wide multiplications in about 110 instructions, so uniform (4 bytes per element) takes about as long to
// compute as to store, expected at about 75 % of an H100's 3.35 TB/s. normal adds a logarithm, a square root, a sine and a cosine
// for two elements: about 70 instructions per element, so it is bound by arithmetic, at half of the peak. dropout (8 bytes) is
// bound by memory.
#include "kernels/kernels.h"

#include "kernels/cuda/elementwise.h"
#include "kernels/math.h"
#include "kernels/philox.h"

namespace gannet::kernels::cuda {
namespace {

inline constexpr int block_words = 4;  // numbers per Philox block

// Rows of `cols` elements, each with the random numbers of elements 0 .. cols of a sample. A row is a sample, or one of the
// `spatial` positions of a sample, which share their numbers.
struct DrawRows {
    uint32_t cols, draws;  // draws: Philox blocks of all rows
    Divisor row_blocks, spatial;
    int64_t first_sample;
    RandomKey key;
    bool wide;  // whether every block has four elements on a 16-byte boundary

    DrawRows(int64_t first, int64_t samples, int64_t places, int64_t columns, const RandomKey& k, bool aligned)
        : cols(uint32_t(columns)),
          draws(uint32_t(samples * places * divide_up(columns, block_words))),
          row_blocks(divide_up(columns, block_words)),
          spatial(places),
          first_sample(first),
          key(k),
          wide(aligned && columns % block_words == 0) {}
};

// The Philox block of this thread, and its elements in memory.
template <class T>
class OwnDraw {
public:
    using Values = Pack<T, block_words>;

    __device__ OwnDraw(const DrawRows& rows, const Counters* counters) : wide_(rows.wide) {
        uint32_t block = thread_place();
        if (block >= rows.draws) return;
        const uint32_t row = rows.row_blocks.split(block), first = block * block_words;
        begin_ = row * rows.cols + first;
        count_ = rows.cols - first < block_words ? int(rows.cols - first) : block_words;
        words_ = draw(rows.key, counters->step, rows.first_sample + rows.spatial.quotient(row), block);
    }

    __device__ real uniform(int k) const { return unit_uniform(words_.w[k]); }

    __device__ Values load(const T* from) const {
        from += begin_;
        if (wide_ && count_ > 0) return load_values<block_words>(from);
        Values values;
#pragma unroll
        for (int k = 0; k < block_words; ++k) values[k] = k < count_ ? from[k] : T(0);
        return values;
    }
    __device__ void store(T* to, const Values& values) const {
        to += begin_;
        if (wide_ && count_ > 0) return store_values(to, values);
#pragma unroll
        for (int k = 0; k < block_words; ++k)
            if (k < count_) to[k] = values[k];
    }

private:
    uint32_t begin_ = 0;
    int count_ = 0;  // 0 if the thread has no block
    bool wide_;
    PhiloxWords words_ = {};
};

// Each kernel has at most 32 registers.

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    uniform_kernel(T* y, const Counters* counters, DrawRows rows, T low, T range) {
    const OwnDraw<T> mine(rows, counters);
    typename OwnDraw<T>::Values values;
#pragma unroll
    for (int k = 0; k < block_words; ++k) values[k] = low + range * T(mine.uniform(k));
    mine.store(y, values);
}

// Box-Muller on the word pairs (0,1) and (2,3).
template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    normal_kernel(T* y, const Counters* counters, DrawRows rows, T mean, T stddev) {
    const OwnDraw<T> mine(rows, counters);
    typename OwnDraw<T>::Values values;
#pragma unroll
    for (int k = 0; k < block_words; k += 2) {
        const real radius = math::sqrt(-2 * math::log(mine.uniform(k)));
        real sine, cosine;
        math::sincos_turns(mine.uniform(k + 1), sine, cosine);
        values[k] = T(mean + stddev * (radius * cosine));
        values[k + 1] = T(mean + stddev * (radius * sine));
    }
    mine.store(y, values);
}

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    dropout_kernel(T* y, const T* x, const Counters* counters, DrawRows rows, T keep, T scale) {
    const OwnDraw<T> mine(rows, counters);
    auto values = mine.load(x);
#pragma unroll
    for (int k = 0; k < block_words; ++k) values[k] = values[k] * (T(mine.uniform(k)) < keep ? scale : T(0));
    mine.store(y, values);
}

// Calls f for ranges of samples, with the position of the first element and the rows.
template <class F>
void for_draws(const RandomKey& key, const DrawShape& s, bool aligned, const F& f) {
    for_ranges(s.samples, s.per_sample, [&](int64_t first, int64_t count) {
        f(first * s.per_sample, DrawRows(s.first_sample + first, count, 1, s.per_sample, key, aligned));
    });
}

}  // namespace

template <class T>
void uniform(T* y, const Counters* counters, const RandomKey& key, const DrawShape& s, T low, T high, Stream stream) {
    for_draws(key, s, aligned(y), [&](int64_t e, const DrawRows& rows) {
        launch("uniform", uniform_kernel<T>, thread_grid(rows.draws), stream, y + e, counters, rows, low, high - low);
    });
}

template <class T>
void normal(T* y, const Counters* counters, const RandomKey& key, const DrawShape& s, T mean, T stddev, Stream stream) {
    for_draws(key, s, aligned(y), [&](int64_t e, const DrawRows& rows) {
        launch("normal", normal_kernel<T>, thread_grid(rows.draws), stream, y + e, counters, rows, mean, stddev);
    });
}

template <class T>
void dropout(T* y, const T* x, const Counters* counters, const RandomKey& key, const DropoutShape& s, T p, Stream stream) {
    const T keep = 1 - p, scale = 1 / keep;
    const int64_t per_sample = s.spatial * s.channels, places = s.channelwise ? s.spatial : 1;
    for_ranges(s.samples, per_sample, [&](int64_t first, int64_t count) {
        const int64_t e = first * per_sample;
        const DrawRows rows(s.first_sample + first, count, places, per_sample / places, key, aligned(y, x));
        launch("dropout", dropout_kernel<T>, thread_grid(rows.draws), stream, y + e, x + e, counters, rows, keep, scale);
    });
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/random.inl"
#include "kernels/cuda/instantiate.inl"
