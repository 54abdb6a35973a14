// Chooses the tile of a GEMM and the number of slices of k, by a fixed cost model of the shape. It estimates cycles of an H100;
// the same rule applies on other GPUs.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/cuda/tile_finish.h"

namespace gannet::kernels::cuda {

// `products` matrix products of rows x cols with sums over `depth`. The slicing of k depends on nominal_rows: the number of rows
// or, if rows are samples and must have the same bits in any batch, the rows of a typical batch. `packs`: operands are copied 16
// bytes at a time.
struct ProductShape {
    int64_t products, rows, nominal_rows, cols, depth;
    bool packs;
};
inline constexpr int64_t usual_batch = 64;

enum class TileKind { large, medium, small };
struct TileChoice {
    TileKind kind = TileKind::small;
    Slices slices;
};

template <class F>
void with_tile(TileKind kind, F&& f) {
    switch (kind) {
        case TileKind::large: return f(LargeTile());
        case TileKind::medium: return f(MediumTile());
        case TileKind::small: return f(SmallTile());
    }
}
inline int64_t tile_extent(TileKind kind) {
    return kind == TileKind::large ? LargeTile::rows : kind == TileKind::medium ? MediumTile::rows : SmallTile::rows;
}

inline double product_cycles(const ProductShape& s, int64_t rows, const TileChoice& choice) {
    const double multiprocessors = 132, adders = 128, bytes_per_cycle = 2000, launch = 3000, begin_and_end = 1500;
    const bool large = choice.kind == TileKind::large, medium = choice.kind == TileKind::medium;
    // the share of the FMA units that are busy if a multiprocessor has eight or more warps
    const double busy = (large ? 0.85 : medium ? 0.75 : 0.45) * (s.packs ? 1 : 0.6), warps = large ? 8 : medium ? 4 : 2;
    const double extent = double(tile_extent(choice.kind)), slices = choice.slices.count;
    const double tiles = double(s.products) * std::ceil(double(rows) / extent) * std::ceil(double(s.cols) / extent);
    const double output_bytes = double(s.products * rows * s.cols) * sizeof(real);
    const bool parallel = choice.slices.parallel;
    const double blocks = std::ceil(tiles * (parallel ? slices : 1) / multiprocessors);  // blocks of the busiest multiprocessor
    const double depth = double(s.depth) / (parallel ? slices : 1);
    const double multiplying = blocks * (extent * extent * depth) / (adders * busy * std::min(1.0, blocks * warps / 8));
    const double slicing = parallel     ? launch + (slices + 1) * output_bytes / bytes_per_cycle
                           : slices > 1 ? 2 * (slices - 1) * output_bytes / bytes_per_cycle
                                        : 0;
    return multiplying + begin_and_end + slicing;
}

// Returns the tile with the lowest cost, for `count` slices and `rows` rows.
inline TileChoice choose_tile(const ProductShape& s, int64_t rows, int count, double& cycles) {
    TileChoice best;
    cycles = INFINITY;
    for (const TileKind kind : {TileKind::large, TileKind::medium, TileKind::small})
        for (const bool parallel : {false, true}) {
            if ((kind == TileKind::large && !s.packs) || (parallel && count == 1)) continue;
            const TileChoice choice{kind, {count, parallel}};
            const double estimate = product_cycles(s, rows, choice);
            if (estimate < cycles) cycles = estimate, best = choice;
        }
    return best;
}

// There are at most 64 slices, with at least 64 steps of k each.
inline int choose_slices(const ProductShape& s) {
    int best = 1;
    double least = INFINITY;
    for (const int count : {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64}) {
        if (count > 1 && count * 64 > s.depth) break;
        double cycles;
        choose_tile(s, s.nominal_rows, count, cycles);
        if (cycles < least) least = cycles, best = count;
    }
    return best;
}

inline TileChoice choose_tile(const ProductShape& s) {
    double cycles;
    return choose_tile(s, s.rows, choose_slices(s), cycles);
}

// The launch arguments of a kernel that computes tiles.
template <class T>
struct TileLaunch {
    TileOutput<T> output;
    TileGrid tiles;

    template <class Tile>
    Grid grid(int phases_h = 1, int phases_w = 1) const {
        const int64_t slices = output.slices.parallel ? output.slices.count : 1;
        return {dim3(unsigned(int64_t(tiles.row_tiles) * tiles.col_tiles * slices), unsigned(phases_h), unsigned(phases_w)),
                dim3(Tile::threads)};
    }
};

// Chooses a tile, calls launch_tiles(kind, TileLaunch) to launch the tiles, and finishes the output of `size` elements: at most
// two launches without moments, three with moments.
template <class T, class LaunchTiles>
void tiled_product(T* out, real* moments, const T* bias, const ProductShape& s, int64_t size, int64_t channels, Activation act,
                   Stream stream, const LaunchTiles& launch_tiles) {
    const TileChoice choice = choose_tile(s);
    const bool parallel = choice.slices.parallel;
    const int64_t extent = tile_extent(choice.kind), row_tiles = divide_up(s.rows, extent);
    const bool with_deviations = moments && !parallel && channels == s.cols && is_piecewise_linear(act);
    const Scratch partial(parallel ? std::size_t(choice.slices.count) * std::size_t(size) * sizeof(T) : 0, stream);
    const DeviationsScratch<T> deviations(with_deviations ? s.products * row_tiles : 0, channels, stream);
    T* const to = parallel ? partial.as<T>() : out;
    const TileOutput<T> output{to,
                               bias,
                               act,
                               choice.slices,
                               size,
                               s.rows,
                               int(s.cols),
                               int(channels),
                               int(row_tiles),
                               aligned(to) && s.cols % widest<T> == 0,
                               deviations.deviations()};
    launch_tiles(choice.kind, TileLaunch<T>{output, {int(row_tiles), int(divide_up(s.cols, extent))}});
    if (with_deviations) deviations.merge(moments, stream);
    else finish_output<T>(out, moments, partial.as<T>(), bias, size / channels, channels, choice.slices, act, stream);
}

}  // namespace gannet::kernels::cuda
