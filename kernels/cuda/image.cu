// Images: layout, size, and conversion from bytes to a batch. All are bound by memory: each element is read and written once, 8
// bytes (gather_images: 5, upsample_nearest by 2: 5, its gradient: 20 per element of dx). Expected: 80 to 90 % of an H100's 3.35
// TB/s.
#include "kernels/kernels.h"

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/shared.h"
#include "kernels/cuda/variants.h"
#include "kernels/philox.h"

namespace gannet::kernels::cuda {
namespace {

// ---- transpose -------------------------------------------------------------------------------------------------------

inline constexpr int transpose_tile = 32;  // the width of a warp
inline constexpr int narrow = 8;           // matrices with fewer rows or columns do not use tiles, which would be mostly empty

// One padding element per row, so that a column is spread over 32 banks.
template <class T>
struct TransposeTile {
    T v[transpose_tile][transpose_tile + 1];
};

// A block has one tile. At most 32 registers.
template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    transpose_kernel(T* y, const T* x, int rows, int cols, unsigned down, unsigned across) {
    constexpr int step = map_threads / transpose_tile;
    TransposeTile<T>& tile = shared<TransposeTile<T>>();
    const unsigned matrix = blockIdx.x / (down * across), within = blockIdx.x % (down * across);
    const int i0 = int(within / across) * transpose_tile, j0 = int(within % across) * transpose_tile;
    const int fast = int(threadIdx.x) % transpose_tile, slow = int(threadIdx.x) / transpose_tile;
    x += matrix * rows * cols;
    y += matrix * rows * cols;
#pragma unroll
    for (int k = slow; k < transpose_tile; k += step)
        if (i0 + k < rows && j0 + fast < cols) tile.v[k][fast] = x[(i0 + k) * cols + j0 + fast];
    __syncthreads();
#pragma unroll
    for (int k = slow; k < transpose_tile; k += step)
        if (j0 + k < cols && i0 + fast < rows) y[(j0 + k) * rows + i0 + fast] = tile.v[fast][k];
}

// One thread per element of y, for matrices with too few rows or columns for tiles. Strided reads hit the cache.
template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    transpose_narrow_kernel(T* y, const T* x, Divisor matrix_size, Divisor rows, uint32_t cols, uint32_t n) {
    const uint32_t e = thread_place();
    if (e >= n) return;
    uint32_t i = e;
    const uint32_t matrix = matrix_size.split(i), j = rows.split(i);
    y[e] = x[matrix * matrix_size.value() + i * cols + j];
}

// ---- upsample_nearest ------------------------------------------------------------------------------------------------

// One thread for `width` channels of y. At most 32 registers.
template <class T, int width>
__global__ void __launch_bounds__(map_threads, map_blocks)
    upsample_nearest_kernel(T* y, const T* x, Divisor channels, Divisor out_cols, Divisor scale, uint32_t W, uint32_t n) {
    const uint32_t e = thread_place() * width;
    if (e >= n) return;
    uint32_t c = e;
    const uint32_t pixel = channels.split(c);
    uint32_t col = pixel;
    const uint32_t row = out_cols.split(col);  // the row among those of all images, H * scale rows each
    const uint32_t from = scale.quotient(row) * W + scale.quotient(col);
    store_pack(y + e, load_pack<width>(x + from * channels.value() + c));
}

// One thread for `width` channels of dx, which adds the scale x scale block in the order of dy. At most 40 registers.
template <class T, int width>
__global__ void __launch_bounds__(map_threads, map_blocks)
    upsample_nearest_grad_kernel(T* dx, const T* dy, Divisor channels, Divisor cols, int scale, uint32_t n) {
    const uint32_t e = thread_place() * width;
    if (e >= n) return;
    uint32_t c = e;
    const uint32_t pixel = channels.split(c);
    uint32_t col = pixel;
    const uint32_t row = cols.split(col), out_row = cols.value() * scale * channels.value();
    Pack<T, width> total = {};
    for (int a = 0; a < scale; ++a) {
        const T* from = dy + (row * scale + a) * out_row + col * scale * channels.value() + c;
#pragma unroll 2
        for (int b = 0; b < scale; ++b, from += channels.value()) {
            const auto values = load_pack<width>(from);
#pragma unroll
            for (int k = 0; k < width; ++k) total[k] += values[k];
        }
    }
    store_pack(dx + e, total);
}

// ---- gather_images ---------------------------------------------------------------------------------------------------

inline constexpr int pixels = 4;        // bytes that one thread reads at once
inline constexpr int gather_packs = 4;  // reads per thread
inline constexpr int gather_chunk = gather_packs * map_threads * pixels;

struct GatherSource {
    int64_t image;
};

// A block converts a chunk of one image, whose index its first thread computes. At most 40 registers.
template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    gather_images_kernel(T* y, const uint8_t* images, const Counters* counters, GatherShape s, unsigned chunks, bool wide) {
    GatherSource& source = shared<GatherSource>();
    const unsigned i = blockIdx.x / chunks;
    if (threadIdx.x == 0) {
        const int64_t position = counters->images_seen + s.first + i, epoch = position / s.usable, index = position % s.usable;
        source.image = s.shuffle ? shuffled_index(s.seed, epoch, index, s.count) : index;
    }
    __syncthreads();
    const uint8_t* from = images + source.image * s.per_image;
    T* to = y + i * s.per_image;
    const int begin = int(blockIdx.x % chunks) * gather_chunk;
    const int end = s.per_image - begin < gather_chunk ? int(s.per_image) : begin + gather_chunk;
    const T scale = T(s.scale), offset = T(s.offset);
    if (!wide) {
        for (int k = begin + int(threadIdx.x); k < end; k += map_threads) to[k] = T(from[k]) * scale + offset;
        return;
    }
    const int first = begin + int(threadIdx.x) * pixels;
    Pack<uint8_t, pixels> bytes[gather_packs] = {};
#pragma unroll
    for (int p = 0; p < gather_packs; ++p)
        if (first + p * map_threads * pixels < end) bytes[p] = load_pack<pixels>(from + first + p * map_threads * pixels);
#pragma unroll
    for (int p = 0; p < gather_packs; ++p) {
        Pack<T, pixels> values;
#pragma unroll
        for (int k = 0; k < pixels; ++k) values[k] = T(bytes[p][k]) * scale + offset;
        if (first + p * map_threads * pixels < end) store_values(to + first + p * map_threads * pixels, values);
    }
}

}  // namespace

template <class T>
void transpose(T* y, const T* x, const TransposeShape& s, Stream stream) {
    if (s.rows == 1 || s.cols == 1) return copy(y, x, s.size(), stream);
    const int64_t size = s.rows * s.cols, down = divide_up(s.rows, transpose_tile), across = divide_up(s.cols, transpose_tile);
    for_ranges(s.batch, size, [&](int64_t first, int64_t count) {
        const int64_t e = first * size, n = count * size;
        if (std::min(s.rows, s.cols) < narrow)
            launch("transpose", transpose_narrow_kernel<T>, thread_grid(n), stream, y + e, x + e, Divisor(size), Divisor(s.rows),
                   uint32_t(s.cols), uint32_t(n));
        else
            launch("transpose", transpose_kernel<T>, {dim3(unsigned(count * down * across)), dim3(map_threads)}, stream, y + e,
                   x + e, int(s.rows), int(s.cols), unsigned(down), unsigned(across));
    });
}

template <class T>
void upsample_nearest(T* y, const T* x, const UpsampleShape& s, Stream stream) {
    const int64_t in_image = s.H * s.W * s.C, out_image = in_image * s.scale * s.scale;
    for_ranges(s.N, out_image, [&](int64_t first, int64_t count) {
        with_width<T>(s.C % widest<T> == 0 && aligned(y, x), [&](auto width) {
            const int64_t n = count * out_image;
            launch("upsample_nearest", upsample_nearest_kernel<T, width>, thread_grid(n / width), stream, y + first * out_image,
                   x + first * in_image, Divisor(s.C), Divisor(s.W * s.scale), Divisor(s.scale), uint32_t(s.W), uint32_t(n));
        });
    });
}

template <class T>
void upsample_nearest_grad(T* dx, const T* dy, const UpsampleShape& s, Stream stream) {
    const int64_t in_image = s.H * s.W * s.C, out_image = in_image * s.scale * s.scale;
    for_ranges(s.N, out_image, [&](int64_t first, int64_t count) {
        with_width<T>(s.C % widest<T> == 0 && aligned(dx, dy), [&](auto width) {
            const int64_t n = count * in_image;
            launch("upsample_nearest_grad", upsample_nearest_grad_kernel<T, width>, thread_grid(n / width), stream,
                   dx + first * in_image, dy + first * out_image, Divisor(s.C), Divisor(s.W), int(s.scale), uint32_t(n));
        });
    });
}

template <class T>
void gather_images(T* y, const uint8_t* images, const Counters* counters, const GatherShape& s, Stream stream) {
    const int64_t chunks = divide_up(s.per_image, gather_chunk);
    const bool wide = s.per_image % pixels == 0 && aligned(y) && reinterpret_cast<uintptr_t>(images) % pixels == 0;
    for_ranges(s.batch, s.per_image, [&](int64_t first, int64_t count) {
        GatherShape part = s;
        part.first += first, part.batch = count;
        launch("gather_images", gather_images_kernel<T>, {dim3(unsigned(count * chunks)), dim3(map_threads)}, stream,
               y + first * s.per_image, images, counters, part, unsigned(chunks), wide);
    });
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/image.inl"
#include "kernels/cuda/instantiate.inl"
