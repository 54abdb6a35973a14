// Optimizers, in place over a network's flat parameter buffer. Bound by memory: Adam reads 16 bytes and writes 12 per parameter
// in 16-byte accesses. Expected: 85 to 92 % of an H100's 3.35 TB/s. It needs a square root, a division and about 12 flops, fewer
// than 100 instructions in total, which take half of that time. Values that depend on the state are computed in double, once per
// block, while its loads are in flight.
#include "kernels/kernels.h"

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/shared.h"
#include "kernels/math.h"

namespace gannet::kernels::cuda {
namespace {

// One thread.
__global__ void __launch_bounds__(32, min_blocks(32, 128))
    optimizer_advance_update_kernel(OptimizerState* state, double beta1, double beta2) {
    state->updates += 1;
    state->correction1 = 1 - std::pow(beta1, double(state->updates));
    state->correction2 = 1 - std::pow(beta2, double(state->updates));
}

template <class T>
struct AdamFactors {
    T beta1, rest1, beta2, rest2, decay, eps;
};
template <class T>
struct AdamRates {
    T step, inverse_root;
};

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    adam_update_kernel(T* w, T* m, T* v, const T* g, const OptimizerState* state, AdamFactors<T> p, int64_t n, bool wide) {
    AdamRates<T>& rates = shared<AdamRates<T>>();
    const Share<T> mine(n, wide);
    const auto gradients = mine.load(g);
    auto weights = mine.load(w), means = mine.load(m), squares = mine.load(v);
    if (threadIdx.x == 0) rates = {T(state->lr / state->correction1), T(1 / math::sqrt(state->correction2))};
    __syncthreads();
    const T step = rates.step, inverse_root = rates.inverse_root;
#pragma unroll
    for (int k = 0; k < widest<T>; ++k) {
        const T d = gradients[k] + p.decay * weights[k];
        means[k] = p.beta1 * means[k] + p.rest1 * d;
        squares[k] = p.beta2 * squares[k] + p.rest2 * (d * d);
        weights[k] -= step * means[k] / (math::sqrt(squares[k]) * inverse_root + p.eps);
    }
    mine.store(w, weights);
    mine.store(m, means);
    mine.store(v, squares);
}

template <class T>
struct RmspropFactors {
    T alpha, rest, momentum, decay, inside, outside;
};

template <class T, bool has_momentum>
__global__ void __launch_bounds__(map_threads, map_blocks)
    rmsprop_update_kernel(T* w, T* v, T* m, const T* g, const OptimizerState* state, RmspropFactors<T> p, int64_t n, bool wide) {
    const Share<T> mine(n, wide);
    const auto gradients = mine.load(g);
    auto weights = mine.load(w), squares = mine.load(v), steps = gradients;
    if constexpr (has_momentum) steps = mine.load(m);
    const T lr = T(state->lr);
#pragma unroll
    for (int k = 0; k < widest<T>; ++k) {
        const T d = gradients[k] + p.decay * weights[k];
        squares[k] = p.alpha * squares[k] + p.rest * (d * d);
        const T scaled = d / (math::sqrt(squares[k] + p.inside) + p.outside);
        steps[k] = has_momentum ? p.momentum * steps[k] + scaled : scaled;
        weights[k] -= lr * steps[k];
    }
    mine.store(w, weights);
    mine.store(v, squares);
    if constexpr (has_momentum) mine.store(m, steps);
}

template <class T>
struct SgdFactors {
    T momentum, decay, follow, direct;
};

template <class T, bool has_momentum>
__global__ void __launch_bounds__(map_threads, map_blocks)
    sgd_update_kernel(T* w, T* m, const T* g, const OptimizerState* state, SgdFactors<T> p, int64_t n, bool wide) {
    const Share<T> mine(n, wide);
    const auto gradients = mine.load(g);
    auto weights = mine.load(w), steps = gradients;
    if constexpr (has_momentum) steps = mine.load(m);
    const T lr = T(state->lr);
    const bool first = state->updates <= 1;  // m is uninitialised
#pragma unroll
    for (int k = 0; k < widest<T>; ++k) {
        const T d = gradients[k] + p.decay * weights[k];
        if constexpr (has_momentum) {
            steps[k] = first ? d : p.momentum * steps[k] + d;
            weights[k] -= lr * (p.direct * d + p.follow * steps[k]);
        } else {
            weights[k] -= lr * d;
        }
    }
    mine.store(w, weights);
    if constexpr (has_momentum) mine.store(m, steps);
}

template <class T>
struct LionFactors {
    T beta1, rest1, beta2, rest2, decay;
};

template <class T>
__global__ void __launch_bounds__(map_threads, map_blocks)
    lion_update_kernel(T* w, T* m, const T* g, const OptimizerState* state, LionFactors<T> p, int64_t n, bool wide) {
    const Share<T> mine(n, wide);
    const auto gradients = mine.load(g);
    auto weights = mine.load(w), means = mine.load(m);
    const T lr = T(state->lr);
#pragma unroll
    for (int k = 0; k < widest<T>; ++k) {
        weights[k] -= lr * (math::sign(p.beta1 * means[k] + p.rest1 * gradients[k]) + p.decay * weights[k]);
        means[k] = p.beta2 * means[k] + p.rest2 * gradients[k];
    }
    mine.store(w, weights);
    mine.store(m, means);
}

// One thread.
__global__ void __launch_bounds__(32, min_blocks(32, 128)) advance_update_kernel(Counters* counters, int64_t images) {
    counters->step += 1;
    counters->images_seen += images;
}

}  // namespace

void optimizer_advance_update(OptimizerState* state, double beta1, double beta2, Stream stream) {
    launch("optimizer_advance_update", optimizer_advance_update_kernel, {dim3(1), dim3(1)}, stream, state, beta1, beta2);
}

template <class T>
void adam_update(T* w, T* m, T* v, const T* g, const OptimizerState* state, const AdamParameters& p, int64_t n, Stream stream) {
    const AdamFactors<T> factors{T(p.beta1), T(1 - p.beta1), T(p.beta2), T(1 - p.beta2), T(p.weight_decay), T(p.eps)};
    launch_map<T>("adam_update", adam_update_kernel<T>, n, stream, w, m, v, g, state, factors, n, aligned(w, m, v, g));
}

template <class T>
void rmsprop_update(T* w, T* v, T* m, const T* g, const OptimizerState* state, const RmspropParameters& p, int64_t n,
                    Stream stream) {
    const T inside = p.eps_inside_sqrt ? T(p.eps) : T(0), outside = p.eps_inside_sqrt ? T(0) : T(p.eps);
    const RmspropFactors<T> factors{T(p.alpha), T(1 - p.alpha), T(p.momentum), T(p.weight_decay), inside, outside};
    const auto kernel = p.momentum == 0 ? rmsprop_update_kernel<T, false> : rmsprop_update_kernel<T, true>;
    launch_map<T>("rmsprop_update", kernel, n, stream, w, v, m, g, state, factors, n, aligned(w, v, m, g));
}

template <class T>
void sgd_update(T* w, T* m, const T* g, const OptimizerState* state, const SgdParameters& p, int64_t n, Stream stream) {
    const T momentum = T(p.momentum);
    const SgdFactors<T> factors{momentum, T(p.weight_decay), p.nesterov ? momentum : T(1), p.nesterov ? T(1) : T(0)};
    const auto kernel = p.momentum == 0 ? sgd_update_kernel<T, false> : sgd_update_kernel<T, true>;
    launch_map<T>("sgd_update", kernel, n, stream, w, m, g, state, factors, n, aligned(w, m, g));
}

template <class T>
void lion_update(T* w, T* m, const T* g, const OptimizerState* state, const LionParameters& p, int64_t n, Stream stream) {
    const LionFactors<T> factors{T(p.beta1), T(1 - p.beta1), T(p.beta2), T(1 - p.beta2), T(p.weight_decay)};
    launch_map<T>("lion_update", lion_update_kernel<T>, n, stream, w, m, g, state, factors, n, aligned(w, m, g));
}

template <class T>
void clip_update(T* w, T limit, int64_t n, Stream stream) {
    launch_map("clip_update", Clamp<T>{-limit, limit}, w, n, stream, w);
}

template <class T>
void accumulate_update(T* sum, const T* g, int64_t n, Stream stream) {
    launch_map("accumulate_update", Add{}, sum, n, stream, sum, g);
}

void advance_update(Counters* counters, int64_t images, Stream stream) {
    launch("advance_update", advance_update_kernel, {dim3(1), dim3(1)}, stream, counters, images);
}

}  // namespace gannet::kernels::cuda

#define CONTRACT "kernels/contract/optimizer.inl"
#include "kernels/cuda/instantiate.inl"
