// Convolutions as implicit GEMM (tile.h), NHWC. 2 N P Q OC R S C flops; x, w and y are accessed once each. On an H100 SXM (67
// TFLOP/s fp32, 3.35 TB/s) bound by the FMA units from about 32 input and output channels on, and expected near 80 % of the peak
// if there are enough tiles. A layer that reads or writes an image (1 or 3 channels) is bound by memory.
//
// conv2d: rows of the GEMM are output pixels, k is (tap, channel). conv2d_dgrad: the pixels of dx are grouped by their phase of
// the stride; each phase uses its own taps, so the zeros between dy's pixels are never multiplied; all phases are one launch.
// conv2d_wgrad: k runs over the output pixels. Few channels have separate kernels (conv_few_channels.h, conv_few_outputs.h).
// If the input image, the output image or the filter is a single pixel, all three are plain matrix products (matmul.h).
//
// The sum of a pixel is the same chain for any N: the slicing of k depends on the other extents and a nominal batch.
#include "kernels/kernels.h"

#include "kernels/cuda/conv_few_channels.h"
#include "kernels/cuda/conv_few_outputs.h"
#include "kernels/cuda/matmul.h"
#include "kernels/cuda/tile_choice.h"

namespace gannet::kernels::cuda {

// How operands are copied: four values at a time (both operands or only one), one by one, or as patches of few channels.
enum class Copy { packs, packs_of_one, singles, few_channels };

namespace {

// For conv2d and conv2d_wgrad.
template <class T, class Tile, class Operands>
__global__ void __launch_bounds__(Tile::bound_threads, Tile::bound_blocks(Operands::a_vector > 1))
    conv2d_kernel(TileOutput<T> to, ConvArguments<T> of, TileGrid grid) {
    auto& memory = shared<TileMemory<T, Tile, Operands>>();
    multiply_slices<Tile>(
        memory, block_place(grid), to.slices, Operands::steps(of.extents),
        [&](const BlockPlace& at, int64_t step) {
            return Operands(of, int64_t(at.row_tile) * Tile::rows, at.col_tile * Tile::cols, step);
        },
        [&](const BlockPlace& at, auto& sum) {
            write_tile<Tile>(sum, memory, to, at, to.rows, [&](int64_t m) { return m * to.cols; });
        });
}

template <class T, class Tile, class Operands>
__global__ void __launch_bounds__(Tile::bound_threads, Tile::bound_blocks(Operands::a_vector > 1))
    conv2d_dgrad_kernel(TileOutput<T> to, ConvArguments<T> of, TileGrid grid, AxisPhases rows, AxisPhases cols) {
    auto& memory = shared<TileMemory<T, Tile, Operands>>();
    const ConvExtents& e = of.extents;
    const BlockPlace place = block_place(grid);
    const auto phase_at = [&](const BlockPlace& at) { return ConvPhase{{rows, at.phase_h}, {cols, at.phase_w}}; };
    const ConvPhase phase = phase_at(place);
    if (int64_t(place.row_tile) * Tile::rows >= phase.pixels(e)) return to.skip_tile(place);
    multiply_slices<Tile>(
        memory, place, to.slices, Operands::steps(e, phase),
        [&](const BlockPlace& at, int64_t step) {
            return Operands(of, phase_at(at), int64_t(at.row_tile) * Tile::rows, at.col_tile * Tile::cols, step);
        },
        [&](const BlockPlace& at, auto& sum) {
            const ConvPhase same = phase_at(at);
            write_tile<Tile>(sum, memory, to, at, same.pixels(e), [&](int64_t m) { return same.place(e, unsigned(m)); });
        });
}

// ---- launchers -------------------------------------------------------------------------------------------------------

// The kernels use 32-bit counts of pixels, and of elements of `read`, which they access randomly.
ConvExtents extents_of(const char* kernel, const ConvShape& s, int64_t read) {
    const auto check = [&](int64_t size, const char* what) {
        if (size < int64_t(1) << 31) return;
        throw Error(std::string(kernel) + ": " + std::to_string(size) + " " + what + " are too many", "below 2^31 are possible",
                    "take a smaller batch");
    };
    check(s.N * s.H * s.W, "pixels");
    check(s.N * s.P * s.Q, "pixels");
    check(read, "elements of its input");
    check((s.OC + tile_depth) * s.R * s.S * s.C, "elements of the filter");
    return {int(s.H), int(s.W), int(s.C), int(s.P), int(s.Q), int(s.OC), int(s.R), int(s.S), int(s.stride), int(s.padding), s.N};
}

template <Copy c>
using CopyForm = std::integral_constant<Copy, c>;

// Calls kernel_of(tile, form) with compile-time constants and launches the kernel that it returns, if any. `phases` are those of
// the rows and columns of an adjoint.
template <class T, class KernelOf, class... Phases>
void tiled_convolution(const char* name, T* out, real* moments, const T* bias, const ConvArguments<T>& of,
                       const ProductShape& product, int64_t size, int64_t channels, Activation act, Stream stream, Copy form,
                       const KernelOf& kernel_of, const Phases&... phases) {
    tiled_product<T>(out, moments, bias, product, size, channels, act, stream, [&](TileKind kind, const TileLaunch<T>& to) {
        with_tile(kind, [&](auto tile) {
            using Tile = decltype(tile);
            const auto run = [&](auto copy) {
                if constexpr (!std::is_void_v<decltype(kernel_of(Tile(), copy))>)
                    launch(name, kernel_of(Tile(), copy), to.template grid<Tile>(phases.count()...), stream, to.output, of,
                           to.tiles, phases...);
            };
            if (form == Copy::packs) return run(CopyForm<Copy::packs>());
            if constexpr (!std::is_same_v<Tile, LargeTile>) {  // used only with packs
                if (form == Copy::packs_of_one) run(CopyForm<Copy::packs_of_one>());
                else if (form == Copy::singles) run(CopyForm<Copy::singles>());
                else run(CopyForm<Copy::few_channels>());
            }
        });
    });
}

bool is_point(const ConvShape& s) { return s.P == 1 && s.Q == 1 && s.R == s.H && s.S == s.W && s.padding == 0; }
bool is_pixelwise(const ConvShape& s) { return s.R == 1 && s.S == 1 && s.stride == 1 && s.padding == 0; }

constexpr int few_channels = 4;

}  // namespace

template <class T>
void conv2d(T* y, real* moments, const T* x, const T* w, const T* bias, const ConvShape& s, Activation act, Stream stream) {
    if (s.out_size() <= 0) return;
    check_fused(act);
    const int64_t pixels = s.P * s.Q, depth = s.R * s.S * s.C;
    if (is_point(s) || is_pixelwise(s))
        return product(y, moments, x, w, bias, {s.N * pixels, s.OC, depth, false, true}, s.OC, act, stream);

    const ConvArguments<T> of{x, w, extents_of("conv2d", s, s.in_size())};
    const bool packs = aligned(x, w) && s.C % widest<T> == 0;
    if (s.C > few_channels && fits_few_outputs<T>(s.OC, s.R * s.S)) {
        launch_few_outputs<T, false>({y, bias, act}, of, {}, {}, packs, stream);
        return finish_output<T>(y, moments, nullptr, bias, s.N * pixels, s.OC, {}, act, stream);
    }
    const Copy form = s.C <= few_channels                                 ? Copy::few_channels
                      : packs && s.C % tile_depth == 0 && s.R * s.S <= 64 ? Copy::packs
                                                                          : Copy::singles;
    const ProductShape product{1, s.N * pixels, usual_batch * pixels, s.OC, depth, form == Copy::packs};
    tiled_convolution("conv2d", y, moments, bias, of, product, s.out_size(), s.OC, act, stream, form, [](auto tile, auto copy) {
        using Tile = decltype(tile);
        if constexpr (copy() == Copy::few_channels) return conv2d_kernel<T, Tile, FewChannelsOperands<T, Tile>>;
        else if constexpr (copy() == Copy::packs) return conv2d_kernel<T, Tile, ConvOperands<T, Tile, widest<T>>>;
        else if constexpr (copy() == Copy::singles) return conv2d_kernel<T, Tile, ConvOperands<T, Tile, 1>>;
    });
}

template <class T>
void conv2d_dgrad(T* dx, real* moments, const T* dy, const T* w, const T* bias, const ConvShape& s, Activation act,
                  Stream stream) {
    if (s.in_size() <= 0) return;
    check_fused(act);
    if (is_point(s) || is_pixelwise(s)) {
        const MatmulShape m{s.N * s.P * s.Q, s.R * s.S * s.C, s.OC, false, false};
        return product(dx, moments, dy, w, bias, m, s.C, act, stream);
    }

    const ConvArguments<T> of{dy, w, extents_of("conv2d_dgrad", s, s.out_size())};
    const ConvExtents& e = of.extents;
    const AxisPhases rows = axis_phases(e.H, e.R, e.stride, e.padding), cols = axis_phases(e.W, e.S, e.stride, e.padding);
    const int64_t pixels = int64_t(rows.pixels) * cols.pixels, taps = int64_t(rows.taps) * cols.taps;
    if (s.OC > few_channels && fits_few_outputs<T>(s.C, taps)) {
        launch_few_outputs<T, true>({dx, bias, act}, of, rows, cols, aligned(dy) && s.OC % widest<T> == 0, stream);
        return finish_output<T>(dx, moments, nullptr, bias, s.N * s.H * s.W, s.C, {}, act, stream);
    }
    const bool packs = aligned(dy, w) && s.C % widest<T> == 0 && s.OC % tile_depth == 0 && taps <= 64;
    const Copy form = s.OC <= few_channels ? Copy::few_channels : packs ? Copy::packs : Copy::singles;
    const int64_t phases = int64_t(rows.count()) * cols.count();
    const ProductShape product{phases, s.N * pixels, usual_batch * pixels, s.C, taps * s.OC, packs};
    const auto kernel_of = [](auto tile, auto copy) {
        using Tile = decltype(tile);
        if constexpr (copy() == Copy::few_channels) return conv2d_dgrad_kernel<T, Tile, FewChannelsAdjointOperands<T, Tile>>;
        else if constexpr (copy() == Copy::packs) return conv2d_dgrad_kernel<T, Tile, AdjointOperands<T, Tile, widest<T>>>;
        else if constexpr (copy() == Copy::singles) return conv2d_dgrad_kernel<T, Tile, AdjointOperands<T, Tile, 1>>;
    };
    tiled_convolution("conv2d_dgrad", dx, moments, bias, of, product, s.in_size(), s.C, act, stream, form, kernel_of, rows, cols);
}

template <class T>
void conv2d_wgrad(T* dw, const T* x, const T* dy, const ConvShape& s, Stream stream) {
    if (s.filter_size() <= 0) return;
    const int64_t cols = s.R * s.S * s.C, pixels = s.N * s.P * s.Q;
    if (is_point(s) || is_pixelwise(s))
        return product<T>(dw, nullptr, dy, x, nullptr, {s.OC, cols, pixels, true, false}, cols, {}, stream);

    const ConvArguments<T> of{dy, x, extents_of("conv2d_wgrad", s, 0)};
    if (s.OC <= few_channels && s.C > few_channels && (std::max(s.H, s.W) + s.padding) * s.stride < int64_t(1) << 31) {
        const Copy form = aligned(x) && s.C % widest<T> == 0 ? Copy::packs_of_one : Copy::singles;
        const ProductShape product{1, s.OC * s.R * s.S, s.OC * s.R * s.S, s.C, s.N * s.H * s.W, false};
        const auto kernel_of = [](auto tile, auto copy) {
            using Tile = decltype(tile);
            if constexpr (copy() == Copy::packs_of_one)
                return conv2d_kernel<T, Tile, FewFiltersGradientOperands<T, Tile, widest<T>>>;
            else if constexpr (copy() == Copy::singles) return conv2d_kernel<T, Tile, FewFiltersGradientOperands<T, Tile, 1>>;
        };
        return tiled_convolution<T>("conv2d_wgrad", dw, nullptr, nullptr, of, product, s.filter_size(), s.C, {}, stream, form,
                                    kernel_of);
    }
    const bool packs_of_dy = aligned(dy) && s.OC % widest<T> == 0, packs = packs_of_dy && aligned(x) && s.C % widest<T> == 0;
    const Copy form = packs ? Copy::packs : packs_of_dy ? Copy::packs_of_one : Copy::singles;
    const ProductShape product{1, s.OC, s.OC, cols, pixels, packs};
    const auto kernel_of = [](auto tile, auto copy) {
        using Tile = decltype(tile);
        constexpr int w = widest<T>;
        if constexpr (copy() == Copy::packs) return conv2d_kernel<T, Tile, FilterGradientOperands<T, Tile, w, w>>;
        else if constexpr (copy() == Copy::packs_of_one) return conv2d_kernel<T, Tile, FilterGradientOperands<T, Tile, w, 1>>;
        else if constexpr (copy() == Copy::singles) return conv2d_kernel<T, Tile, FilterGradientOperands<T, Tile, 1, 1>>;
    };
    tiled_convolution<T>("conv2d_wgrad", dw, nullptr, nullptr, of, product, s.filter_size(), cols, {}, stream, form, kernel_of);
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/conv2d.inl"
#include "kernels/cuda/instantiate.inl"
