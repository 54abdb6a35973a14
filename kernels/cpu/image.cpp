// Images: layout, size, and conversion from bytes to a batch. All are bound by memory: each element is read and written once.
#include "kernels/cpu/isa.h"

#include "kernels/cpu/blocks.h"
#include "kernels/philox.h"

namespace gannet::kernels::cpu::GANNET_ISA {
namespace {

inline constexpr int64_t transpose_tile = 64;  // 64 x 64 elements: source and destination both stay in L1

}  // namespace

template <class T>
void transpose(T* y, const T* x, const TransposeShape& s, Stream stream) {
    if (s.rows == 1 || s.cols == 1) return copy(y, x, s.size(), stream);
    if (s.size() <= 0) return;
    const int64_t rows = s.rows, cols = s.cols, down = ceil_div(rows, transpose_tile), across = ceil_div(cols, transpose_tile);
    const int64_t tile_size = std::min(rows, transpose_tile) * std::min(cols, transpose_tile);
    for_rows(stream, {s.batch * down * across, tile_size}, [=](int64_t t) {
        const int64_t matrix = t / (down * across) * rows * cols, tile = t % (down * across);
        const int64_t i0 = tile / across * transpose_tile, i1 = std::min(rows, i0 + transpose_tile);
        const int64_t j0 = tile % across * transpose_tile, j1 = std::min(cols, j0 + transpose_tile);
        const T* from = x + matrix;
        T* to = y + matrix;
        for (int64_t j = j0; j < j1; ++j)
#pragma omp simd
            for (int64_t i = i0; i < i1; ++i) to[j * rows + i] = from[i * cols + j];
    });
}

template <class T>
void upsample_nearest(T* y, const T* x, const UpsampleShape& s, Stream stream) {
    if (s.out_size() <= 0) return;
    const int64_t scale = s.scale, C = s.C, W = s.W, out_row = W * scale * C;
    for_rows(stream, {s.N * s.H, out_row * scale}, [=](int64_t row) {
        const T* from = x + row * W * C;
        T* first = y + row * scale * out_row;
        for (int64_t w = 0; w < W; ++w)
            for (int64_t b = 0; b < scale; ++b)
                for (int64_t c = 0; c < C; ++c) first[(w * scale + b) * C + c] = from[w * C + c];
        for (int64_t a = 1; a < scale; ++a) memcpy(first + a * out_row, first, size_t(out_row) * sizeof(T));
    });
}

template <class T>
void upsample_nearest_grad(T* dx, const T* dy, const UpsampleShape& s, Stream stream) {
    if (s.in_size() <= 0) return;
    const int64_t scale = s.scale, C = s.C, W = s.W, out_row = W * scale * C;
    for_rows(stream, {s.N * s.H, out_row * scale}, [=](int64_t row) {
        T* to = dx + row * W * C;
        const T* from = dy + row * scale * out_row;
        std::fill_n(to, W * C, T(0));
        for (int64_t a = 0; a < scale; ++a)
            for (int64_t w = 0; w < W; ++w)
                for (int64_t b = 0; b < scale; ++b)
                    for (int64_t c = 0; c < C; ++c) to[w * C + c] += from[a * out_row + (w * scale + b) * C + c];
    });
}

template <class T>
void gather_images(T* y, const uint8_t* images, const Counters* counters, const GatherShape& s, Stream stream) {
    if (s.batch <= 0 || s.per_image <= 0) return;
    const int64_t first = counters->images_seen + s.first, per_image = s.per_image;
    const T scale = T(s.scale), offset = T(s.offset);
    for_rows(stream, {s.batch, per_image}, [=](int64_t i) {
        const int64_t epoch = (first + i) / s.usable, index = (first + i) % s.usable;
        const uint8_t* from = images + (s.shuffle ? shuffled_index(s.seed, epoch, index, s.count) : index) * per_image;
        T* to = y + i * per_image;
#pragma omp simd
        for (int64_t k = 0; k < per_image; ++k) to[k] = T(from[k]) * scale + offset;
    });
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/image.inl"
#include "kernels/cpu/instantiate.inl"
