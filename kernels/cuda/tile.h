// The fp32 GEMM used by matmul and the convolutions: a block computes a tile of C = A B. An `Operands` policy addresses the
// operands (a matrix, its transpose, image patches), so the matrix of image patches (im2col) is never stored.
//
// A tile of C stays in registers over the loop on k. Tiles of A and B, tile_depth deep, are prefetched to shared memory, several
// steps ahead (cp.async, sm_80 and later) or one step ahead through registers (older GPUs). Each step has one barrier, and each
// thread copies one chunk of four elements of A and one of B: 16 bytes or, if sizes or addresses require it, single elements.
//
// Order of the sums: an element of C is one chain over k from first to last per slice of k, and slices are added in order. The
// choice of tile, and whether slices run in parallel or one after another, do not change the bits.
#pragma once
#include "kernels/cuda/async_copy.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pack.h"
#include "kernels/cuda/shared.h"

namespace gannet::kernels::cuda {

#ifdef GANNET_HAS_ASYNC_COPY
inline constexpr bool asynchronous = true;
inline constexpr int stages = 4;
#else
inline constexpr bool asynchronous = false;
inline constexpr int stages = 2;
#endif

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
inline constexpr bool wants_registers = true;
#else
inline constexpr bool wants_registers = false;
#endif

inline constexpr int tile_depth = 8;  // k of a step
inline constexpr int chunk = 4;       // elements of a thread's copy and of a fragment load

// A warp has 4 x 8 threads. The elements of a thread in C are 4 x 4 blocks, 16 rows and 32 columns apart.
template <int of_row_warps, int of_col_warps, int of_thread_rows, int of_thread_cols>
struct Tile {
    static constexpr int row_warps = of_row_warps, col_warps = of_col_warps;
    static constexpr int threads = row_warps * col_warps * 32;
    static constexpr int thread_rows = of_thread_rows, thread_cols = of_thread_cols;
    static constexpr int warp_rows = 4 * thread_rows, warp_cols = 8 * thread_cols;
    static constexpr int rows = row_warps * warp_rows, cols = col_warps * warp_cols;
    static_assert(rows * tile_depth == threads * chunk && cols * tile_depth == threads * chunk);
    // For __launch_bounds__: the number of threads that share the 65536 registers of a multiprocessor, so that each has at most
    // 168. Without cp.async, copies also need registers, and for sm_100 and sm_120 ptxas spills with 168; there the limit is 255.
    static constexpr int sharing_threads = asynchronous && !wants_registers ? 384 : 256;
    static constexpr int bound_threads = threads > 192 ? sharing_threads : threads;
    // If values are copied one by one, the limit of tiles with fewer threads is 255.
    static constexpr int bound_blocks(bool packs) { return packs ? sharing_threads / bound_threads : 1; }

    // Neighbouring lanes share rows of A, and lanes at distance two share columns of B, so the hardware merges their 16-byte
    // loads. Bits 1 and 3 of the lane are its row, the other bits its column.
    static constexpr int row_lane_bit = 2, other_row_lane_bit = 8;
    static __device__ __forceinline__ int row_of_thread() {
        const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
        return warp / col_warps * warp_rows + ((lane >> 1 & 1) | (lane >> 2 & 2)) * chunk;
    }
    static __device__ __forceinline__ int col_of_thread() {
        const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
        return warp % col_warps * warp_cols + ((lane & 1) | (lane >> 1 & 2) | (lane >> 2 & 4)) * chunk;
    }
    static __device__ __forceinline__ constexpr int row(int i) { return i / chunk * 16 + i % chunk; }
    static __device__ __forceinline__ constexpr int col(int j) { return j / chunk * 32 + j % chunk; }
};

using LargeTile = Tile<4, 2, 8, 8>;   // 128 x 128, 256 threads
using MediumTile = Tile<2, 2, 8, 4>;  // 64 x 64, 128 threads
using SmallTile = Tile<2, 1, 4, 4>;   // 32 x 32, 64 threads

// A tile of one operand in shared memory: `extent` rows of A (columns of B) by tile_depth. An operand whose k is contiguous in
// memory is stored as [row][k], with a gap after every four rows that avoids bank conflicts of fragment loads. Other operands are
// stored as [k][row].
template <int extent, bool k_major>
struct OperandTile {
    static constexpr int group = chunk * tile_depth + chunk;
    static constexpr int size = k_major ? extent / chunk * group : extent * tile_depth;

    static __device__ __forceinline__ constexpr int place(int row, int k) {
        return k_major ? row / chunk * group + row % chunk * tile_depth + k : k * extent + row;
    }
    // The position of the thread's chunk in the tile.
    static __device__ __forceinline__ int chunk_row() {
        return k_major ? threadIdx.x / (tile_depth / chunk) : threadIdx.x % (extent / chunk) * chunk;
    }
    static __device__ __forceinline__ int chunk_k() {
        return k_major ? threadIdx.x % (tile_depth / chunk) * chunk : threadIdx.x / (extent / chunk);
    }
    static __device__ __forceinline__ int chunk_place() { return place(chunk_row(), chunk_k()); }
};

template <class T, class Tile, class Operands>
struct Stages {
    using A = OperandTile<Tile::rows, Operands::a_k_major>;
    using B = OperandTile<Tile::cols, Operands::b_k_major>;
    struct alignas(16) Stage {
        T a[A::size], b[B::size];
    };
    Stage stage[stages];
};

// Copies the thread's chunks, step after step, into the stages.
template <class T, class Tile, class Operands>
class Feed {
    using Memory = Stages<T, Tile, Operands>;
    static constexpr int a_vector = Operands::a_vector, b_vector = Operands::b_vector;

public:
    __device__ __forceinline__ Feed(Memory& memory, Operands& operands, int steps) : memory_(memory), operands_(operands) {
        if constexpr (asynchronous) {
#pragma unroll
            for (int s = 0; s < stages; ++s) copy(s, s < steps);
            async_copy_wait<stages - 1>();
        } else {
            fetch(true);
            put(0);
            fetch(1 < steps);
        }
        __syncthreads();
    }

    // Called when no thread reads `current` any more. Starts to refill it; after the barrier, `next` is available. `left` is the
    // number of steps that are not yet multiplied, including the current step.
    __device__ __forceinline__ void next(int current, int next, int left) {
        if constexpr (asynchronous) async_copy_wait<stages - 2>();
        else put(next);
        __syncthreads();
        if constexpr (asynchronous) copy(current, left > stages);
        else fetch(left > stages);
    }
    // Waits until no copy is in flight.
    __device__ __forceinline__ void finish() {
        if constexpr (asynchronous) async_copy_wait<0>();
    }

private:
    // After the last step, writes zeros and reads nothing.
    __device__ __forceinline__ void copy(int stage, bool more) {
        T *const a = memory_.stage[stage].a + Memory::A::chunk_place(), *const b =
                                                                            memory_.stage[stage].b + Memory::B::chunk_place();
        operands_.each_a(
            [&](int i, const T* from, bool valid) { async_copy<a_vector* int(sizeof(T))>(a + i, from, more && valid); });
        operands_.each_b(
            [&](int i, const T* from, bool valid) { async_copy<b_vector* int(sizeof(T))>(b + i, from, more && valid); });
        operands_.advance();
        async_copy_commit();
    }
    __device__ __forceinline__ void fetch(bool more) {
        operands_.each_a([&](int i, const T* from, bool valid) { fetch_to<a_vector>(a_, i, from, more && valid); });
        operands_.each_b([&](int i, const T* from, bool valid) { fetch_to<b_vector>(b_, i, from, more && valid); });
        operands_.advance();
    }
    template <int vector>
    static __device__ __forceinline__ void fetch_to(T (&to)[chunk], int i, const T* from, bool valid) {
        Pack<T, vector> loaded = {};
        if (valid) loaded = load_pack<vector>(from);
#pragma unroll
        for (int l = 0; l < vector; ++l) to[i + l] = loaded[l];
    }
    __device__ __forceinline__ void put(int stage) {
        put_chunk(memory_.stage[stage].a, Memory::A::chunk_place(), a_);
        put_chunk(memory_.stage[stage].b, Memory::B::chunk_place(), b_);
    }
    // Indexed in packs of 16 bytes. Otherwise nvcc does not know the alignment and makes four stores, with bank conflicts.
    static __device__ __forceinline__ void put_chunk(T* tile, int place, const T (&from)[chunk]) {
#pragma unroll
        for (int i = 0; i < chunk; i += widest<T>) {
            Pack<T, widest<T>> values;
#pragma unroll
            for (int l = 0; l < widest<T>; ++l) values[l] = from[i + l];
            reinterpret_cast<Pack<T, widest<T>>*>(tile)[(place + i) / widest<T>] = values;
        }
    }

    Memory& memory_;
    Operands& operands_;
    T a_[chunk], b_[chunk];  // chunks in flight, without cp.async
};

// Four steps of k for four rows of A (or columns of B) of a thread: fragment[k][row].
template <class T>
using Fragment = T[chunk][chunk];

template <int extent, bool k_major, class T>
__device__ __forceinline__ void load_fragment(Fragment<T>& to, const T* tile, int row, int k) {
#pragma unroll
    for (int i = 0; i < chunk; ++i) {
        const int place = OperandTile<extent, k_major>::place(k_major ? row + i : row, k_major ? k : k + i);
        const auto loaded = load_values<chunk>(tile + place);
#pragma unroll
        for (int l = 0; l < chunk; ++l) {
            if constexpr (k_major) to[l][i] = loaded[l];
            else to[i][l] = loaded[l];
        }
    }
}

// Computes the product of a stage for the blocks of a thread, four steps of k (a group) at a time. Fragments are loaded one block
// of 4 x 4 x 4 multiplications ahead. The blocks are ordered such that each needs one new fragment: with 2 x 2 blocks (A0,B0)
// (A0,B1) (A1,B1) (A1,B0), then the next group from (A0,B1) on.
template <class T, class Tile, class Operands>
class TileProduct {
    using Memory = Stages<T, Tile, Operands>;
    using Stage = typename Memory::Stage;
    static constexpr int row_parts = Tile::thread_rows / chunk, col_parts = Tile::thread_cols / chunk;
    static_assert(row_parts <= 2 && col_parts <= 2 && tile_depth == 2 * chunk);

public:
    using Sum = T[Tile::thread_rows][Tile::thread_cols];

    __device__ __forceinline__ TileProduct(Sum& sum, const Stage& first)
        : sum_(sum), a_place_(Memory::A::place(Tile::row_of_thread(), 0)), b_place_(Memory::B::place(Tile::col_of_thread(), 0)) {
        load_a(0, first, 0, 0);
        load_b(0, first, 0, 0);
    }

    // Calls at_end() when all of `stage` is in registers, then reads `next`.
    template <class AtEnd>
    __device__ __forceinline__ void add_stage(const Stage& stage, const Stage& next, const AtEnd& at_end) {
        group<0>(stage, stage, [] {});
        group<1>(stage, next, at_end);
    }

private:
    // Which of the two registers has the fragment of a part: that of its number or, with a single part, alternately by group.
    template <int g, class AtEnd>
    __device__ __forceinline__ void group(const Stage& stage, const Stage& next, const AtEnd& at_end) {
        constexpr int other = 1 - g;
        if constexpr (row_parts == 2 && col_parts == 2) {
            load_b(other, stage, other, g);
            multiply<0, g>(a_[0], b_[g]);
            load_a(1, stage, 1, g);
            multiply<0, other>(a_[0], b_[other]);
            at_end();
            load_a(0, next, 0, other);
            multiply<1, other>(a_[1], b_[other]);
            load_b(other, next, other, other);
            multiply<1, g>(a_[1], b_[g]);
        } else if constexpr (row_parts == 2) {
            load_a(1, stage, 1, g);
            multiply<0, 0>(a_[0], b_[g]);
            at_end();
            load_a(0, next, 0, other);
            load_b(other, next, 0, other);
            multiply<1, 0>(a_[1], b_[g]);
        } else {
            at_end();
            load_a(other, next, 0, other);
            load_b(other, next, 0, other);
            multiply<0, 0>(a_[g], b_[g]);
        }
    }
    __device__ __forceinline__ void load_a(int to, const Stage& stage, int part, int g) {
        load_fragment<Tile::rows, Operands::a_k_major>(a_[to], stage.a + a_place_, Tile::row(part * chunk), g * chunk);
    }
    __device__ __forceinline__ void load_b(int to, const Stage& stage, int part, int g) {
        load_fragment<Tile::cols, Operands::b_k_major>(b_[to], stage.b + b_place_, Tile::col(part * chunk), g * chunk);
    }
    template <int row_part, int col_part>
    __device__ __forceinline__ void multiply(const Fragment<T>& a, const Fragment<T>& b) {
#pragma unroll
        for (int k = 0; k < chunk; ++k)
#pragma unroll
            for (int j = 0; j < chunk; ++j)
#pragma unroll
                for (int i = 0; i < chunk; ++i) sum_[row_part * chunk + i][col_part * chunk + j] += a[k][i] * b[k][j];
    }

    Sum& sum_;
    const int a_place_, b_place_;
    Fragment<T> a_[2], b_[2];
};

// Adds the thread's part of the tile over `steps` > 0 steps of the operands. All threads of the block call it. Two calls need a
// barrier between them.
template <class Tile, class T, class Operands>
__device__ __forceinline__ void multiply(T (&sum)[Tile::thread_rows][Tile::thread_cols], Stages<T, Tile, Operands>& memory,
                                         Operands& operands, int steps) {
    Feed<T, Tile, Operands> feed(memory, operands, steps);
    TileProduct<T, Tile, Operands> product(sum, memory.stage[0]);
    for (int current = 0; steps > 0; --steps) {
        const int next = current + 1 == stages ? 0 : current + 1;
        product.add_stage(memory.stage[current], memory.stage[next], [&] { feed.next(current, next, steps); });
        current = next;
    }
    feed.finish();
}

}  // namespace gannet::kernels::cuda
