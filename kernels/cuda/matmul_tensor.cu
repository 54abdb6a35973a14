// Matrix products on tensor cores (mma.sync, sm_80 and later): fp32 in memory, rounded to TF32 or BF16 before multiplication,
// summed in fp32. 2 M N K flops on (M K + K N + M N) reals: bound by the tensor cores from about 128 rows and columns on,
// otherwise by memory and latency. For 16 of K, the 64x64 part of a warp in the large tile needs 64 HMMA and about 205 other
// instructions, 128 of them roundings, and half of the issue slots of a scheduler on sm_80. Expected there: 75 % of the TF32
// peak. On sm_90, mma.sync reaches at most about 60 % of the peak, which is 495 TFLOP/s on an H100 SXM. Expected: 250 TFLOP/s.
// Higher rates need wgmma.
//
// The bits of a row of C do not depend on M: the slices of K depend only on N and K. Each slice is summed from zero, and slices
// are added in order, either by one block, which keeps the partial total in scratch memory, or by a second kernel.
#include "kernels/kernels.h"

#include <algorithm>

#include "kernels/cuda/matmul_tensor.h"
#include "kernels/cuda/tensor_tile.h"
#include "kernels/cuda/tile_finish.h"

namespace gannet::kernels::cuda {
namespace {

// The stages take 64 KiB: two blocks fit on an SM of sm_80, sm_90 and sm_100, one on other GPUs.
using LargeTensorTile = TensorTile<128, 128, 16, 4, 2, 2>;
// For few rows. 48 KiB: three blocks, four, or two.
using SmallTensorTile = TensorTile<64, 64, 32, 3, 2, 2>;

struct TensorArguments {
    float* c;  // the output, or the sums of the slices (slices, M, N) if there are more blocks than tiles
    const float *a, *b, *bias;
    Pack<float, 4>* totals;  // partial totals of a block with several slices
    int M, N, K;
    int slice;               // length of a slice of K, a multiple of 32
    int blocks_m, blocks_n;  // number of tiles
    int channels;            // column n uses bias n % channels
    bool wide;               // whether C can be written 16 bytes at a time
    Activation act;

#ifdef GANNET_SIMT  // nvcc warns about unused functions in an unnamed namespace
    std::string extents_text() const {
        return "product MNK " + std::to_string(M) + " " + std::to_string(N) + " " + std::to_string(K);
    }
#endif
};

template <class Tile>
struct TensorStages {
    float a[Tile::stages][Tile::m * Tile::depth], b[Tile::stages][Tile::n * Tile::depth];
};
template <class Tile>
struct TensorTiles {
    union {
        TensorStages<Tile> stages;
        Pack<float, 4> c[Tile::warps_m * Tile::warps_n][Tile::warp_m][Tile::warp_n / 4];  // at the end
    };
    int2 place;  // position of the tile, stored here so that it occupies no registers during the main loop
};

// Numbers tiles in groups of 8 rows of tiles, column by column, so that blocks that run together share operands in the L2 cache.
__device__ __forceinline__ int2 tile_of_block(int block, int blocks_m, int blocks_n) {
    const int group = block / (8 * blocks_n), rows = min(8, blocks_m - 8 * group), rest = block - group * 8 * blocks_n;
    return {8 * group + rest % rows, rest / rows};
}

// Writes C through shared memory, so that a warp writes whole rows. The activation is applied there in a loop; over registers,
// the loop would be unrolled.
template <class Tile>
__device__ __forceinline__ void store_tile(const TensorArguments& s, TensorTiles<Tile>& tiles,
                                           const float (&sums)[2 * Tile::m_groups][4 * Tile::n_groups][4]) {
    const int thread = int(threadIdx.x), warp = thread / 32, lane = thread % 32;
    // Chunk i of a row is stored at i ^ 4 in every second group of 16 rows, so that the lanes of a store use different banks.
    auto& part = tiles.c[warp];
    Pack<float, 4>* const own = &part[spread_line(lane / 4)][lane % 4];
    Pack<float, 4>* const own_halves[2] = {own + lane / 4 % 2 * 4, own + (1 - lane / 4 % 2) * 4};
#pragma unroll
    for (int i = 0; i < 4 * Tile::m_groups; ++i)
#pragma unroll
        for (int j = 0; j < Tile::n_groups; ++j)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                Pack<float, 4> v;
#pragma unroll
                for (int q = 0; q < 4; ++q) v[q] = sums[i / 2][4 * j + q][i % 2 * 2 + half];
                own_halves[half][(i / 4 * 32 + i % 4) * (Tile::warp_n / 4) + j * 8] = v;
            }
    __syncwarp();

    constexpr int row_chunks = Tile::warp_n / 4;
    const int chunk = lane % row_chunks;
    const int m = tiles.place.x * Tile::m + warp % Tile::warps_m * Tile::warp_m;
    const int n = tiles.place.y * Tile::n + warp / Tile::warps_m * Tile::warp_n + 4 * chunk;
    const int rows = min(Tile::warp_m, s.M - m), columns = min(4, s.N - n);
    const bool finish = gridDim.y == 1;
    Pack<float, 4> bias = {};
    if (finish && s.bias)
#pragma unroll
        for (int q = 0; q < 4; ++q) bias[q] = q < columns ? s.bias[(n + q) % s.channels] : 0.0f;
    float* to = s.c + (int64_t(blockIdx.y) * s.M + m) * s.N + n;
#pragma unroll 1
    for (int row = lane / row_chunks; row < rows; row += 32 / row_chunks) {
        Pack<float, 4> v = part[row][chunk ^ (row / 16 % 2 * 4)];
        if (finish)
#pragma unroll
            for (int q = 0; q < 4; ++q) v[q] = float(activate(v[q] + bias[q], s.act));
        if (s.wide && columns > 0) store_pack(to + int64_t(row) * s.N, v);
        else
#pragma unroll
            for (int q = 0; q < 4; ++q)
                if (q < columns) to[int64_t(row) * s.N + q] = v[q];
    }
}

// Registers: 226 for the large tile (two blocks), 128 for the small tile (four blocks).
template <Precision precision, class Tile, bool a_along_k, bool b_along_k>
__global__ void __launch_bounds__(Tile::threads) __maxnreg__(Tile::m == 128 ? 226 : 128)
    matmul_tensor_kernel(const TensorArguments s) {
    if constexpr (has_mma) {
        auto& tiles = shared<TensorTiles<Tile>>();
        constexpr int depth = Tile::depth, stages = Tile::stages, steps = depth / 8;
        const int2 tile = tile_of_block(int(blockIdx.x), s.blocks_m, s.blocks_n);
        if (threadIdx.x == 0) tiles.place = tile;
        const int m = tile.x * Tile::m, n = tile.y * Tile::n, k = int(blockIdx.y) * s.slice;
        const int a_pitch = a_along_k ? s.K : s.M, b_pitch = b_along_k ? s.K : s.N;
        int left = gridDim.y > 1 ? min(s.slice, s.K - k) : s.K;

        TensorCopy<Tile::m, depth, Tile::threads, a_along_k> copy_a(a_pitch, m, s.M, k);
        TensorCopy<Tile::n, depth, Tile::threads, b_along_k> copy_b(b_pitch, n, s.N, k);
        const auto copy = [&](int stage, int k_left) {
            copy_a(tiles.stages.a[stage], s.a, a_pitch, k_left);
            copy_b(tiles.stages.b[stage], s.b, b_pitch, k_left);
            async_copy_commit();
        };
#pragma unroll
        for (int i = 0; i < stages - 1; ++i) copy(i, left - i * depth);

        const int warp = int(threadIdx.x) / 32, warp_m = warp % Tile::warps_m * Tile::warp_m,
                  warp_n = warp / Tile::warps_m * Tile::warp_n;
        const TensorRead<Tile::m, depth, a_along_k> read_a(warp_m);
        const TensorRead<Tile::n, depth, b_along_k> read_b(warp_n);
        constexpr int m_groups = Tile::m_groups, n_groups = Tile::n_groups;
        float sums[2 * m_groups][4 * n_groups][4] = {};
        TensorOperandA<precision> a[m_groups];
        TensorOperandB<precision> b[n_groups];
        TensorValues next_a[m_groups], next_b;
        int stage = 0;
        const auto next_stage = [&] {
            async_copy_wait<stages - 2>();
            __syncthreads();
        };
        const auto read = [&](int step) {  // reads the first operands of a step
#pragma unroll
            for (int i = 0; i < m_groups; ++i) read_a(next_a[i], tiles.stages.a[stage], i, step);
            read_b(next_b, tiles.stages.b[stage], 0, step);
        };
        next_stage();
        while (true) {
            read(0);
            for (const int next_slice = max(0, left - s.slice); left > next_slice; left -= depth) {
#pragma unroll
                for (int step = 0; step < steps; ++step) {
#pragma unroll
                    for (int i = 0; i < m_groups; ++i) a[i].round(next_a[i], step);
#pragma unroll
                    for (int j = 0; j < n_groups; ++j) {
                        b[j].round(next_b, step);
                        if (j + 1 < n_groups) {
                            read_b(next_b, tiles.stages.b[stage], j + 1, step);
                        } else {
                            if (step == 0) copy(stage == 0 ? stages - 1 : stage - 1, left - (stages - 1) * depth);
                            if (step + 1 == steps) {
                                next_stage();
                                stage = stage + 1 == stages ? 0 : stage + 1;
                            }
                            read((step + 1) % steps);
                        }
                        if (precision == Precision::tf32 || step % 2) multiply_group<precision>(sums, j, a, b[j]);
                    }
                }
            }
            const bool first = gridDim.y > 1 || left >= s.K - s.slice, last = left <= 0;
            const int64_t place = int64_t(tiles.place.x) * s.blocks_n + tiles.place.y;
            Pack<float, 4>* const total = s.totals + place * (Tile::m * Tile::n / 4) + threadIdx.x;
            const auto each = [&](auto f) {
#pragma unroll
                for (int i = 0; i < 2 * m_groups; ++i)
#pragma unroll
                    for (int j = 0; j < 4 * n_groups; ++j) f(sums[i][j], total[(i * 4 * n_groups + j) * Tile::threads]);
            };
            if (!first)
                each([](float(&sum)[4], const Pack<float, 4>& so_far) {
                    const Pack<float, 4> t = so_far;
#pragma unroll
                    for (int q = 0; q < 4; ++q) sum[q] = t[q] + sum[q];
                });
            if (last) break;
            each([](float(&sum)[4], Pack<float, 4>& so_far) {
                so_far = {sum[0], sum[1], sum[2], sum[3]};
#pragma unroll
                for (int q = 0; q < 4; ++q) sum[q] = 0;
            });
        }

        async_copy_wait<0>();
        __syncthreads();
        store_tile<Tile>(s, tiles, sums);
    }
}

// The length of a slice of K. For few columns, a long K is split, so that 64 rows give about 64 blocks with at least 256 of K
// each.
int64_t slice_of(const MatmulShape& s) {
    const int64_t tiles = divide_up(s.N, 64) * (s.transpose_a ? divide_up(s.M, 64) : 1);
    const int64_t slices = std::clamp<int64_t>(64 / tiles, 1, std::max<int64_t>(1, s.K / 256));
    return divide_up(divide_up(s.K, slices), 32) * 32;
}

// The number of blocks from which a GPU is considered full.
constexpr int64_t full = 96;

struct Product {
    float* c;
    real* moments;
    const float *a, *b, *bias;
    MatmulShape s;
    int64_t channels;
    Activation act;
};

template <Precision precision, class Tile, bool a_along_k, bool b_along_k>
bool run(const Product& of, Stream stream) {
    const auto kernel = matmul_tensor_kernel<precision, Tile, a_along_k, b_along_k>;
    if (stream->capability < 80) return false;
    static const bool served = serves_mma(kernel);  // the same for all GPUs from sm_80 on: the Makefile always adds compute_80
    if (!served) return false;
    const MatmulShape& s = of.s;
    const int64_t blocks_m = divide_up(s.M, Tile::m), blocks_n = divide_up(s.N, Tile::n), tiles = blocks_m * blocks_n;
    const int64_t slice = slice_of(s);
    const int slices = int(divide_up(s.K, slice));
    const bool parallel = slices > 1 && tiles < full;
    const int64_t values = parallel ? slices * s.M * s.N : slices > 1 ? tiles * Tile::m * Tile::n : 0;
    const Scratch scratch(std::size_t(values) * sizeof(float), stream);
    float* const c = parallel ? scratch.as<float>() : of.c;
    const TensorArguments arguments = {
        c,          of.a,          of.b,          of.bias,          scratch.as<Pack<float, 4>>(), int(s.M), int(s.N), int(s.K),
        int(slice), int(blocks_m), int(blocks_n), int(of.channels), s.N % 4 == 0 && aligned(c),   of.act};
    const Grid grid = {dim3(unsigned(tiles), parallel ? unsigned(slices) : 1), dim3(Tile::threads),
                       dynamic_bytes<TensorTiles<Tile>>()};
    launch("matmul_tensor", kernel, grid, stream, arguments);
    finish_output<float>(of.c, of.moments, scratch.as<float>(), of.bias, s.M * s.N / of.channels, of.channels, {slices, parallel},
                         of.act, stream);
    return true;
}

template <Precision precision, class Tile>
bool run(const Product& of, Stream stream) {
    if (of.s.transpose_a && of.s.transpose_b) return run<precision, Tile, false, true>(of, stream);
    if (of.s.transpose_a) return run<precision, Tile, false, false>(of, stream);
    if (of.s.transpose_b) return run<precision, Tile, true, true>(of, stream);
    return run<precision, Tile, true, false>(of, stream);
}

template <Precision precision>
bool run(const Product& of, Stream stream) {
    const int64_t large_tiles = divide_up(of.s.M, LargeTensorTile::m) * divide_up(of.s.N, LargeTensorTile::n);
    if (of.s.N > 64 && large_tiles >= full) return run<precision, LargeTensorTile>(of, stream);
    return run<precision, SmallTensorTile>(of, stream);
}

// Offsets into an operand, offsets within a tile and the number of blocks are 32-bit.
bool fits(const MatmulShape& s) {
    constexpr int64_t extent = int64_t(1) << 24, values = int64_t(1) << 32, tile = 64 * 64;
    return s.M <= extent && s.N <= extent && s.K <= extent && s.M * s.K < values && s.K * s.N < values &&
           s.M * s.N < extent * tile;
}

}  // namespace

template <class T>
bool matmul_tensor(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, int64_t channels,
                   Activation act, Precision precision, Stream stream) {
    if constexpr (sizeof(T) == 4) {
        const int64_t a_pitch = s.transpose_a ? s.M : s.K, b_pitch = s.transpose_b ? s.K : s.N;
        if (s.M <= 0 || s.N <= 0 || s.K <= 0 || !fits(s)) return false;
        if (a_pitch % 4 != 0 || b_pitch % 4 != 0 || !aligned(a, b)) return false;
        const Product of = {c, moments, a, b, bias, s, channels, act};
        if (precision == Precision::tf32) return run<Precision::tf32>(of, stream);
        if (precision == Precision::bf16) return run<Precision::bf16>(of, stream);
    }
    return false;
}

template bool matmul_tensor(real*, real*, const real*, const real*, const real*, const MatmulShape&, int64_t, Activation,
                            Precision, Stream);

}  // namespace gannet::kernels::cuda
