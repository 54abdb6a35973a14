// Matrix products, with all transposes. 2 M N K flops on (M K + K N + M N) reals. On an H100 SXM (67 TFLOP/s fp32, 3.35 TB/s)
// bound by the FMA units from about 80 rows and columns on, otherwise by memory. A batch of 64 rows gives few blocks and is bound
// by latency, so its k is split into slices.
//
// A row of C has the same bits for any M, unless a is transposed (then M is not a batch size): the slices of k depend on N and K.
#include "kernels/kernels.h"

#include "kernels/cuda/matmul.h"
#include "kernels/cuda/matmul_cublas.h"
#include "kernels/cuda/matmul_operands.h"
#include "kernels/cuda/matmul_tensor.h"
#include "kernels/cuda/tile_choice.h"

namespace gannet::kernels::cuda {
namespace {

template <class T, class Tile, bool transpose_a, bool transpose_b, int vector>
__global__ void __launch_bounds__(Tile::bound_threads, Tile::bound_blocks(vector > 1))
    matmul_kernel(TileOutput<T> to, Matrices<T> of, TileGrid grid) {
    using Operands = MatmulOperands<T, Tile, transpose_a, transpose_b, vector>;
    auto& memory = shared<TileMemory<T, Tile, Operands>>();
    multiply_slices<Tile>(
        memory, block_place(grid), to.slices, (of.K + tile_depth - 1) / tile_depth,
        [&](const BlockPlace& at, int64_t step) {
            return Operands(of, int64_t(at.row_tile) * Tile::rows, int64_t(at.col_tile) * Tile::cols, step);
        },
        [&](const BlockPlace& at, auto& sum) {
            write_tile<Tile>(sum, memory, to, at, of.M, [&](int64_t m) { return m * of.N; });
        });
}

template <class T, bool transpose_a, bool transpose_b>
void launch_matmul(const TileLaunch<T>& to, const Matrices<T>& of, TileKind kind, bool packs, Stream stream) {
    with_tile(kind, [&](auto tile) {
        using Tile = decltype(tile);
        const auto run = [&](auto kernel) {
            launch("matmul", kernel, to.template grid<Tile>(1, 1), stream, to.output, of, to.tiles);
        };
        if (packs) return run(matmul_kernel<T, Tile, transpose_a, transpose_b, widest<T>>);
        if constexpr (!std::is_same_v<Tile, LargeTile>) run(matmul_kernel<T, Tile, transpose_a, transpose_b, 1>);
    });
}

}  // namespace

template <class T>
void product(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, int64_t channels, Activation act,
             Stream stream) {
    check_fused(act);
    const bool plain = !bias && !moments && act.kind == ActivationKind::none;
    const Precision precision = stream->numerics.precision;
    if (matmul_cublas(c, moments, a, b, bias, s, channels, act, stream->choice_for(s, plain), precision, stream)) return;
    if (matmul_tensor(c, moments, a, b, bias, s, channels, act, precision, stream)) return;
    const Matrices<T> of{a, b, s.M, s.N, s.K};
    const int64_t contiguous_a = s.transpose_a ? s.M : s.K, contiguous_b = s.transpose_b ? s.K : s.N;
    const bool packs = aligned(a, b) && contiguous_a % widest<T> == 0 && contiguous_b % widest<T> == 0;
    const ProductShape shape{1, s.M, s.transpose_a ? s.M : usual_batch, s.N, s.K, packs};
    tiled_product<T>(c, moments, bias, shape, s.M * s.N, channels, act, stream, [&](TileKind kind, const TileLaunch<T>& to) {
        if (s.transpose_a && s.transpose_b) launch_matmul<T, true, true>(to, of, kind, packs, stream);
        else if (s.transpose_a) launch_matmul<T, true, false>(to, of, kind, packs, stream);
        else if (s.transpose_b) launch_matmul<T, false, true>(to, of, kind, packs, stream);
        else launch_matmul<T, false, false>(to, of, kind, packs, stream);
    });
}
template void product(real*, real*, const real*, const real*, const real*, const MatmulShape&, int64_t, Activation, Stream);

template <class T>
void matmul(T* c, real* moments, const T* a, const T* b, const T* bias, const MatmulShape& s, Activation act, Stream stream) {
    if (s.M <= 0 || s.N <= 0) return;
    product(c, moments, a, b, bias, s, s.N, act, stream);
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/matmul.inl"
#include "kernels/cuda/instantiate.inl"
