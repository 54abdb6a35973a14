// Sums and their adjoints. Bound by memory: each input is read once, 4 bytes and one or two flops per element. Expected: 85 to 90
// % of an H100's 3.35 TB/s from some 10 MB on; below 1 MB, bound by launch latency (3 us). Column sums use
// kernels/cuda/columns.h, row sums kernels/cuda/rows.h.
#include "kernels/kernels.h"

#include "kernels/cuda/columns.h"
#include "kernels/cuda/rows.h"
#include "kernels/cuda/scratch.h"

namespace gannet::kernels::cuda {
namespace {

// ---- columns --------------------------------------------------------------------------------------------------------

// The end of the first level of a column sum. The sum of a single slice is the result.
template <class T, int width>
__device__ __forceinline__ void finish_columns(T* y, T* partial, const Pack<T, width>& total, const ColumnThread<width>& p) {
    auto& sums = shared<ColumnSums<T, width, 1>>();
    add_columns(sums, {total}, p);
    store_slice(p.c.slices > 1 ? partial : y, sums, p);
}

template <class T, int width>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    sum_rows_kernel(T* y, T* partial, const T* x, ColumnCut c) {
    const ColumnThread<width> p(c);
    Pack<T, width> total = {};
    p.template for_rows<4>([=](int64_t e, int64_t) { return load_pack<width>(x + e); },
                           [&](const Pack<T, width>& v, int64_t) {
#pragma unroll
                               for (int k = 0; k < width; ++k) total[k] += v[k];
                           });
    finish_columns(y, partial, total, p);
}

// Second level: a block adds the slices of 32 columns.
template <class T>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    merge_columns_kernel(T* y, const T* partial, int slices, int64_t cols) {
    auto& sums = shared<SliceSums<T, 1>>();
    const int64_t tile = int64_t(blockIdx.x) * tile_columns, j = tile + threadIdx.x;
    merge_slices(sums, tile, int(min(int64_t(tile_columns), cols - tile)), slices, partial, cols);
    if (threadIdx.x < tile_columns && j < cols) y[j] = sums.totals[0][threadIdx.x];
}

template <class T, int width>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    expand_rows_kernel(T* y, const T* v, ColumnCut c) {
    const ColumnThread<width> p(c);
    if (!p.active) return;
    const Pack<T, width> values = p.load(v);
    p.template for_rows<4>([](int64_t, int64_t) { return 0; }, [=](int, int64_t e) { store_pack(y + e, values); });
}

template <class T, int width, class A>
__global__ void __launch_bounds__(column_threads, min_blocks(column_threads, 64))
    bias_activation_grad_kernel(T* dx, T* db, T* partial, const T* y, const T* dy, ColumnCut c, A act) {
    using In = OutputGradient<T, width>;
    const ColumnThread<width> p(c);
    Pack<T, width> total = {};
    p.template for_rows<4>([=](int64_t e, int64_t) { return In::load(y, dy, e, act); },
                           [&](const In& in, int64_t e) {
                               Pack<T, width> d;
#pragma unroll
                               for (int k = 0; k < width; ++k) {
                                   d[k] = in.at_any(k, act);
                                   total[k] += d[k];
                               }
                               store_pack(dx + e, d);
                           });
    finish_columns(db, partial, total, p);
}

// ---- rows -----------------------------------------------------------------------------------------------------------

struct Total {
    __device__ auto term(auto v) const { return v; }
    __device__ auto finish(auto total) const { return total; }
};
struct Norm {
    __device__ auto term(auto v) const { return v * v; }
    __device__ auto finish(auto total) const { return math::sqrt(total + decltype(total)(norm_epsilon)); }
};

template <class T, int width>
__global__ void __launch_bounds__(RowSpread::threads, min_blocks(RowSpread::threads, 64))
    expand_cols_kernel(T* __restrict__ y, const T* __restrict__ v, RowSpread s) {
    spread_rows<width>(
        y, s, [=](int64_t i) { return v[i]; }, [](const auto& factors, int64_t) { return factors; });
}

// One block: the norms of the rows (long rows arrive as partial sums), and the weighted mean of (norm - target)^2.
template <class T>
__global__ void __launch_bounds__(row_threads, min_blocks(row_threads, 64))
    gradient_penalty_kernel(T* out, T* norms, const T* partial, int64_t rows, int pieces, T target, T weight) {
    T total = 0;
    const auto add = [&](T norm) { total += (norm - target) * (norm - target); };
    if (pieces > 1) {
        for (int64_t i = threadIdx.x / warp_size; i < rows; i += row_threads / warp_size) {
            const T norm = Norm{}.finish(add_pieces(partial, i, pieces));
            if (threadIdx.x % warp_size > 0) continue;
            norms[i] = norm;
            add(norm);
        }
    } else {
#pragma unroll 4
        for (int64_t i = threadIdx.x; i < rows; i += row_threads) add(norms[i]);
    }
    total = row_sum(total, row_threads, shared<RowSums<T>>());
    if (threadIdx.x == 0) out[0] = rows > 0 ? weight * (total / T(rows)) : T(0);
}

template <class T, int width>
__global__ void __launch_bounds__(RowSpread::threads, min_blocks(RowSpread::threads, 64))
    gradient_penalty_grad_kernel(T* __restrict__ dx, const T* __restrict__ x, const T* __restrict__ norms,
                                 const T* __restrict__ dout, T target, T weight, int64_t rows, RowSpread s) {
    const T share = dout[0] * weight * (T(2) / T(rows));
    spread_rows<width>(
        dx, s, [=](int64_t i) { return share * (norms[i] - target) / norms[i]; },
        [=](auto values, int64_t e) {
            constexpr int count = sizeof(values) / sizeof(T);
            const Pack<T, count> v = load_pack<count>(x + e);
#pragma unroll
            for (int k = 0; k < count; ++k) values[k] *= v[k];
            return values;
        });
}

template <class T>
void merge_columns(T* y, const T* partial, const ColumnCut& c, Stream stream) {
    if (c.slices == 1) return;
    launch("merge_columns", merge_columns_kernel<T>, {dim3(unsigned(divide_up(c.columns, tile_columns))), dim3(column_threads)},
           stream, y, partial, c.slices, c.columns);
}

}  // namespace

// ---- launchers ------------------------------------------------------------------------------------------------------

template <class T>
void sum_rows(T* y, const T* x, const RowsShape& s, Stream stream) {
    if (s.cols <= 0) return;
    with_width<T>(aligned(x) && fits_columns<widest<T>>(s), [&](auto width) {
        const ColumnCut c = cut_columns<width>(s, ColumnUse::sums);
        const Scratch partial(c.partial_bytes<T>(1), stream);
        launch("sum_rows", sum_rows_kernel<T, width>, c.grid(), stream, y, partial.as<T>(), x, c);
        merge_columns(y, partial.as<T>(), c, stream);
    });
}

template <class T>
void sum_cols(T* y, const T* x, const RowsShape& s, Stream stream) {
    if (s.rows <= 0) return;
    sum_of_rows<T>("sum_cols", y, x, s, aligned(x) && s.cols % widest<T> == 0, Total{}, stream);
}

template <class T>
void expand_rows(T* y, const T* v, const RowsShape& s, Stream stream) {
    if (s.size() <= 0) return;
    with_width<T>(aligned(y) && fits_columns<widest<T>>(s), [&](auto width) {
        const ColumnCut c = cut_columns<width>(s, ColumnUse::pass);
        launch("expand_rows", expand_rows_kernel<T, width>, c.grid(), stream, y, v, c);
    });
}

template <class T>
void expand_cols(T* y, const T* v, const RowsShape& s, Stream stream) {
    if (s.size() <= 0) return;
    with_width<T>(aligned(y) && s.cols >= widest<T>, [&](auto width) {
        const RowSpread spread(s, width);
        launch("expand_cols", expand_cols_kernel<T, width>, spread.grid(width), stream, y, v, spread);
    });
}

template <class T>
void bias_activation_grad(T* dx, T* db, const T* y, const T* dy, const RowsShape& s, Activation act, Stream stream) {
    if (s.cols <= 0) return;
    const auto run = [&](auto width, auto a) {
        const ColumnCut c = cut_columns<width>(s, ColumnUse::sums);
        const Scratch partial(c.partial_bytes<T>(1), stream);
        launch("bias_activation_grad", bias_activation_grad_kernel<T, width, decltype(a)>, c.grid(), stream, dx, db,
               partial.as<T>(), y, dy, c, a);
        merge_columns(db, partial.as<T>(), c, stream);
    };
    if (aligned(dx, y, dy) && fits_columns<widest<T>>(s))
        with_any_activation(act, [&](auto a) { run(std::integral_constant<int, widest<T>>{}, a); });
    else run(std::integral_constant<int, 1>{}, act);
}

template <class T>
void row_norm(T* y, const T* x, const RowsShape& s, Stream stream) {
    if (s.rows <= 0) return;
    sum_of_rows<T>("row_norm", y, x, s, aligned(x) && s.cols % widest<T> == 0, Norm{}, stream);
}

template <class T>
void gradient_penalty(T* out, T* norms, const T* x, T target, T weight, const RowsShape& s, Stream stream) {
    with_width<T>(aligned(x) && s.cols % widest<T> == 0, [&](auto width) {
        const RowCut c = cut_rows(s, width);
        const Scratch partial(c.partial_bytes<T>(), stream);
        if (s.rows > 0)
            launch("row_norm", add_rows_kernel<width, T, T, Norm>, c.grid(), stream, norms, partial.as<T>(), x, c, Norm{});
        launch("gradient_penalty", gradient_penalty_kernel<T>, {dim3(1), dim3(row_threads)}, stream, out, norms, partial.as<T>(),
               s.rows, c.pieces, target, weight);
    });
}

template <class T>
void gradient_penalty_grad(T* dx, const T* x, const T* norms, const T* dout, T target, T weight, const RowsShape& s,
                           Stream stream) {
    if (s.size() <= 0) return;
    with_width<T>(aligned(dx, x) && s.cols >= widest<T>, [&](auto width) {
        const RowSpread spread(s, width);
        launch("gradient_penalty_grad", gradient_penalty_grad_kernel<T, width>, spread.grid(width), stream, dx, x, norms, dout,
               target, weight, s.rows, spread);
    });
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/reduce.inl"
#include "kernels/cuda/instantiate.inl"
